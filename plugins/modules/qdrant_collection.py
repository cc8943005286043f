#!/usr/bin/python

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: qdrant_collection
short_description: Manage Qdrant collections and their payload indexes
version_added: "0.1.0"
author:
  - bestviable.planner_memory contributors (@bestviable)
description:
  - Brings one collection, or a list of them, to the declared state over Qdrant's REST interface.
  - Only what is declared is managed. Settings that the server fills in by itself are no difference, and neither are
    vectors or indexes that are not declared.
  - Settings that Qdrant changes in place are changed in place, field by field. No point is lost by changing a setting.
  - What Qdrant cannot change, such as the size of a vector, fails before anything is touched, and says how many points
    a new collection would lose.
  - A run reads the list of collections once and each declared collection once; when nothing differs, it writes nothing.
extends_documentation_fragment:
  - bestviable.planner_memory.qdrant
attributes:
  check_mode:
    support: full
    description: Can run in check mode and tells what it would do without doing it.
  diff_mode:
    support: full
    description: Returns the managed fields before and after.
options:
  name:
    description: Name of the collection.
    type: str
  state:
    description:
      - V(absent) deletes the collection. When it holds points, O(confirm_data_loss) must say so a second time.
    type: str
    choices: [present, absent]
    default: present
  vectors:
    description:
      - The unnamed vector as a dictionary with C(size) and C(distance), or a dictionary of such dictionaries by name.
      - C(distance) is one of C(Cosine), C(Dot), C(Euclid), C(Manhattan).
      - C(on_disk), C(hnsw_config) and C(quantization_config) are changed in place. C(size), C(distance), C(datatype)
        and C(multivector_config) are given at creation and never change.
      - Needed when the collection does not exist.
    type: dict
  on_disk_payload:
    description: Whether payloads are kept on disk rather than in memory.
    type: bool
  hnsw_config:
    description: Settings of the vector index, such as C(m) and C(ef_construct), under Qdrant's names.
    type: dict
  optimizers_config:
    description: Settings of the optimizers, such as C(indexing_threshold), under Qdrant's names.
    type: dict
  quantization_config:
    description:
      - "Quantization under Qdrant's names, such as V({scalar: {type: int8}})."
      - An empty dictionary means that there is none.
    type: dict
  payload_indexes:
    description:
      - Indexed payload fields. Each value is a type, one of C(bool), C(datetime), C(float), C(geo), C(integer),
        C(keyword), C(text), C(uuid), or a dictionary with C(type) and Qdrant's parameters for that type.
      - An index of another type is deleted and built anew; payloads are not touched.
    type: dict
  prune_indexes:
    description: Delete payload indexes that O(payload_indexes) does not name.
    type: bool
    default: false
  confirm_data_loss:
    description:
      - The name of the collection, as the second word without which a collection that holds points is not deleted.
    type: str
  backup:
    description:
      - Make a snapshot on the server before a collection that holds points is deleted.
      - If that fails, the collection stays.
      - The snapshot stays in the server's snapshot folder; RV(snapshots) names it.
    type: bool
    default: true
  collections:
    description: Several collections in one run. Each takes the options above.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the collection.
        type: str
        required: true
      state:
        description: As O(state).
        type: str
        choices: [present, absent]
        default: present
      vectors:
        description: As O(vectors).
        type: dict
      on_disk_payload:
        description: As O(on_disk_payload).
        type: bool
      hnsw_config:
        description: As O(hnsw_config).
        type: dict
      optimizers_config:
        description: As O(optimizers_config).
        type: dict
      quantization_config:
        description: As O(quantization_config).
        type: dict
      payload_indexes:
        description: As O(payload_indexes).
        type: dict
      prune_indexes:
        description: As O(prune_indexes).
        type: bool
        default: false
      confirm_data_loss:
        description: As O(confirm_data_loss).
        type: str
      backup:
        description: As O(backup).
        type: bool
        default: true
  assume_empty_if_unreachable:
    description:
      - In check mode, plan as for a server without collections where no server answers, because this same run would
        create it.
      - Has no effect outside of check mode.
    type: bool
    default: false
notes:
  - Options about one collection beside O(collections) are refused.
"""

EXAMPLES = r"""
- name: Have a collection for OpenAI's embeddings
  bestviable.planner_memory.qdrant_collection:
    name: doc_chunks
    vectors:
      size: 1536
      distance: Cosine
    on_disk_payload: true
    payload_indexes:
      doc_id: keyword
      created_at: datetime

- name: Have several collections in one run
  bestviable.planner_memory.qdrant_collection:
    url: https://qdrant.example.com
    api_key: "{{ qdrant_api_key }}"
    collections:
      - name: events
        vectors: {size: 1536, distance: Cosine}
        payload_indexes: {client_id: integer}
        hnsw_config: {m: 32}
      - name: pictures
        vectors:
          image: {size: 512, distance: Dot, on_disk: true}
          caption: {size: 768, distance: Cosine}

- name: Delete a collection and its points, after a snapshot
  bestviable.planner_memory.qdrant_collection:
    name: doc_chunks
    state: absent
    confirm_data_loss: doc_chunks
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done, in order, one line each.
  returned: always
  type: list
  elements: str
  sample:
    - create collection events (1536 Cosine)
    - create payload index events.client_id (integer)
collections:
  description: The managed fields of each declared collection by its name; none for one that is absent.
  returned: success
  type: dict
  sample:
    events:
      vectors:
        "": {distance: Cosine, size: 1536}
      payload_indexes:
        client_id: {type: integer}
snapshots:
  description: Names of the snapshots that were made before collections were deleted, by collection.
  returned: success
  type: dict
  sample: {}
immutable:
  description: Differences that Qdrant cannot remove in place.
  returned: failed for that reason
  type: list
  elements: dict
  sample:
    - collection: events
      field: vectors.size
      live: 768
      wanted: 1536
      points_lost: 1200
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.client import CONNECTION_SPEC, connect
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import desired_from_params
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.resource import Collections
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import run_module

COLLECTION_SPEC: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "vectors": {"type": "dict"},
    "on_disk_payload": {"type": "bool"},
    "hnsw_config": {"type": "dict"},
    "optimizers_config": {"type": "dict"},
    "quantization_config": {"type": "dict"},
    "payload_indexes": {"type": "dict"},
    "prune_indexes": {"type": "bool", "default": False},
    "confirm_data_loss": {"type": "str"},
    "backup": {"type": "bool", "default": True},
}


def build(module: AnsibleModule) -> Collections:
    params = module.params
    if params["collections"] is not None:
        for option, spec in COLLECTION_SPEC.items():
            if params[option] != spec.get("default"):
                raise StackError(f"{option} stands beside collections; give it to each collection that it is meant for")
    return Collections(
        connect(params, read_only=module.check_mode),
        desired_from_params(params),
        may_be_unborn=module.check_mode and params["assume_empty_if_unreachable"],
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str"},
            **COLLECTION_SPEC,
            "collections": {
                "type": "list",
                "elements": "dict",
                "options": {"name": {"type": "str", "required": True}, **COLLECTION_SPEC},
            },
            "assume_empty_if_unreachable": {"type": "bool", "default": False},
            **CONNECTION_SPEC,
        },
        mutually_exclusive=[("name", "collections")],
        required_one_of=[("name", "collections")],
        supports_check_mode=True,
    )
    run_module(module, lambda: build(module))


if __name__ == "__main__":
    main()

#!/usr/bin/python

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: qdrant_collection
short_description: Manage Qdrant collections, their payload indexes and aliases
version_added: "0.1.0"
author:
  - bestviable.planner_memory contributors (@bestviable)
description:
  - Brings one collection, or a list of them, to the declared state over Qdrant's REST interface.
  - Only what is declared is managed. Settings that the server fills in by itself are no difference, and neither are
    vectors or indexes that are not declared.
  - Settings that Qdrant changes in place are changed in place, field by field. No point is lost by changing a setting.
  - What Qdrant cannot change, such as the size of a vector, fails before anything is touched, and says how many points
    a new collection would lose; O(on_immutable) offers two ways on.
  - An option that the server is too old for is an error, asked before anything is touched, and read back afterwards.
  - A run reads the list of collections once and each declared collection once; when nothing differs, it writes nothing.
extends_documentation_fragment:
  - bestviable.planner_memory.qdrant
  - bestviable.planner_memory.qdrant.path
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
      - V(absent) deletes the collection, and what rebuilds left or did not finish. When there are points in it,
        O(confirm_data_loss) must say so a second time.
      - Whatever is deleted is counted once more just before. Where that is another number than when it was planned, or
        an alias has been moved to it, it stays and the run fails. Qdrant has no call that deletes on a condition, so
        what is written in the milliseconds after that count is lost; stop what writes to a collection that is to go.
    type: str
    choices: [present, absent]
    default: present
  vectors:
    description:
      - The unnamed vector as a dictionary with C(size) and C(distance), or a dictionary of such dictionaries by name.
        An unnamed vector beside named ones has the name V("").
      - C(distance) is one of C(Cosine), C(Dot), C(Euclid), C(Manhattan).
      - C(on_disk), C(memory), C(hnsw_config) and C(quantization_config) are changed in place. C(size), C(distance),
        C(datatype) and C(multivector_config) are given at creation; see O(on_immutable).
      - A named vector that is missing is added beside the others, which takes Qdrant 1.18. None is ever removed.
      - This or O(sparse_vectors) is needed when the collection does not exist.
    type: dict
  sparse_vectors:
    description:
      - Sparse vectors by name, each a dictionary that may have C(index) and C(modifier) (C(none) or C(idf)).
      - Settings are changed in place; a missing one is added, which takes Qdrant 1.18.
    type: dict
  shard_number:
    description:
      - Number of shards, given at creation; see O(on_immutable).
    type: int
  sharding_method:
    description:
      - How points are spread over shards, given at creation; see O(on_immutable).
    type: str
    choices: [auto, custom]
  replication_factor:
    description:
      - Number of replicas of each shard.
    type: int
  write_consistency_factor:
    description:
      - Number of replicas that must confirm a write.
    type: int
  read_fan_out_factor:
    description:
      - Number of further replicas that are asked in a read.
    type: int
  read_fan_out_delay_ms:
    description:
      - Milliseconds before further replicas are asked. Takes Qdrant 1.17.
    type: int
  on_disk_payload:
    description:
      - Whether payloads are kept on disk rather than in memory.
    type: bool
  hnsw_config:
    description:
      - Settings of the vector index, such as C(m) and C(ef_construct), under Qdrant's names.
      - Changed in place, and Qdrant rebuilds the vector indexes in the background; where there are points, a warning
        says so.
    type: dict
  optimizers_config:
    description:
      - Settings of the optimizers, such as C(indexing_threshold), under Qdrant's names.
    type: dict
  quantization_config:
    description:
      - "Quantization under Qdrant's names, such as V({scalar: {type: int8}})."
      - An empty dictionary means that there is none.
      - Changed in place, and Qdrant rebuilds the vector indexes in the background, as for O(hnsw_config).
    type: dict
  wal_config:
    description:
      - Settings of the write-ahead log, given at creation; see O(on_immutable).
    type: dict
  strict_mode_config:
    description:
      - Limits of the strict mode under Qdrant's names. Takes Qdrant 1.13.
    type: dict
  metadata:
    description:
      - Notes about the collection. Keys that are not named stay; a key with no value is deleted. Takes Qdrant 1.16.
      - Each value is given whole. Within it a key with no value is as one that is not there.
    type: dict
  payload_indexes:
    description:
      - Indexed payload fields. Each value is a type, one of C(bool), C(datetime), C(float), C(geo), C(integer),
        C(keyword), C(text), C(uuid), or a dictionary with C(type) and Qdrant's parameters for that type.
      - An index of another type or with other parameters is deleted and built anew; payloads are not touched.
    type: dict
  prune_indexes:
    description:
      - Delete payload indexes that O(payload_indexes) does not name.
    type: bool
    default: false
  aliases:
    description:
      - Aliases that point to this collection. One that points to another is moved, without a moment in between.
      - Other aliases of the collection are left alone.
    type: list
    elements: str
  on_immutable:
    description:
      - What to do about a difference that Qdrant cannot change in place.
      - V(fail) changes nothing and lists field, live value, wanted value and the number of points that would be lost.
      - V(rebuild) makes a second collection C(NAME__vN) with everything that is declared and everything else that is
        there, copies the points, compares the counts, waits until it is green, and moves all aliases in one
        call. Readers of an alias notice nothing. The old collection stays until O(drop_old). Points cannot be copied
        where the size of a vector changes.
      - Points that are added or deleted while V(rebuild) copies are noticed by their number, which is compared after
        the copy and once more before the aliases move; then no reader is moved. A payload or vector that is changed
        in place meanwhile is not noticed, and the copy may have the old one. Stop what writes, or let it write both.
      - One V(rebuild) of a collection at a time comes to its end; the others fail and say so. The copy has an alias
        C(NAME__building_ID) until it is filled, and C(NAME__filled_ID) until the old collection is gone. A later run
        makes its own copy of what was left unfinished, under the next number, and deletes the other one afterwards.
        It goes on with a filled copy, or leaves that alone; only once its original is gone is it deleted.
      - Names like these, and keys of O(metadata) that begin with C(planner_memory_), cannot be declared.
      - V(recreate) deletes the collection and makes it anew without its points. O(confirm_data_loss) must say so a
        second time. Meanwhile an empty collection C(NAME__recreating) keeps what it has besides, and its aliases; it
        is known by C(planner_memory_recreating) in its metadata, which needs Qdrant 1.16.
      - After V(rebuild), go on declaring O(aliases). Without them the declared name is the old collection as long as it
        is there; a warning says so.
      - Both make a snapshot first; see O(backup).
    type: str
    choices: [fail, rebuild, recreate]
    default: fail
  drop_old:
    description:
      - With O(on_immutable=rebuild), delete the collections that rebuilds left behind, after a snapshot of each that
        holds points; the name of the first becomes an alias of the one in use.
      - It is kept where it holds another number of points than were copied, and where an alias serves it that nobody
        moves. O(confirm_data_loss) is the second word for the first of these, in a run of its own.
      - In the run that rebuilds, what is changed in place while it copies (see O(on_immutable)) is then in the snapshot
        at most. To be safe, stop what writes, or drop the old collection in a later run.
      - A rebuild notes in the new collection's metadata, under C(planner_memory_rebuilt_from), what it was copied from,
        and under C(planner_memory_rebuilt_points) how many points that were.
        Collections of such names that no note leads to are somebody else's, and stay; a warning names them. Before
        Qdrant 1.16 there are no notes, so there only the run that rebuilds can delete what it leaves.
      - Needed for a rebuild where readers use the collection by its own name, which is nobody's for a moment then.
    type: bool
    default: false
  confirm_data_loss:
    description:
      - The name of the collection, as the second word without which its points are not destroyed.
    type: str
  backup:
    description:
      - Make a snapshot on the server before points are destroyed, and before a rebuild.
      - If that fails, the collection stays as it is.
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
      sparse_vectors:
        description: As O(sparse_vectors).
        type: dict
      shard_number:
        description: As O(shard_number).
        type: int
      sharding_method:
        description: As O(sharding_method).
        type: str
        choices: [auto, custom]
      replication_factor:
        description: As O(replication_factor).
        type: int
      write_consistency_factor:
        description: As O(write_consistency_factor).
        type: int
      read_fan_out_factor:
        description: As O(read_fan_out_factor).
        type: int
      read_fan_out_delay_ms:
        description: As O(read_fan_out_delay_ms).
        type: int
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
      wal_config:
        description: As O(wal_config).
        type: dict
      strict_mode_config:
        description: As O(strict_mode_config).
        type: dict
      metadata:
        description: As O(metadata).
        type: dict
      payload_indexes:
        description: As O(payload_indexes).
        type: dict
      prune_indexes:
        description: As O(prune_indexes).
        type: bool
        default: false
      aliases:
        description: As O(aliases).
        type: list
        elements: str
      on_immutable:
        description: As O(on_immutable).
        type: str
        choices: [fail, rebuild, recreate]
        default: fail
      drop_old:
        description: As O(drop_old).
        type: bool
        default: false
      confirm_data_loss:
        description: As O(confirm_data_loss).
        type: str
      backup:
        description: As O(backup).
        type: bool
        default: true
  wait:
    description:
      - Wait until every collection that was changed is green, that is, until its optimizers have worked it in.
      - A collection that was not changed is not waited for.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait; then the module fails, and what it has changed stays.
    type: float
    default: 300
  assume_empty_if_unreachable:
    description:
      - In check mode, plan as for a server without collections where nothing takes a connection at O(url), because this
        same run would create it. A server that takes the connection and does not answer is an error all the same.
      - Has no effect outside of check mode.
    type: bool
    default: false
notes:
  - Options about one collection beside O(collections) are refused.
  - With O(path) there are no snapshots, so O(backup=false) is needed where one would be made first.
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

- name: Change the distance of a collection that is being read, by way of its alias
  bestviable.planner_memory.qdrant_collection:
    name: pictures
    vectors: {size: 512, distance: Cosine}
    aliases: [pictures_live]
    on_immutable: rebuild

- name: Delete what the rebuild left, once the new collection has proved itself
  bestviable.planner_memory.qdrant_collection:
    name: pictures
    vectors: {size: 512, distance: Cosine}
    aliases: [pictures_live]
    on_immutable: rebuild
    drop_old: true

- name: Change the size of a vector and begin anew without points, after a snapshot
  bestviable.planner_memory.qdrant_collection:
    name: doc_chunks
    vectors: {size: 3072, distance: Cosine}
    on_immutable: recreate
    confirm_data_loss: doc_chunks

- name: Try out without a server
  bestviable.planner_memory.qdrant_collection:
    path: /tmp/trial
    name: notes
    vectors: {size: 384, distance: Cosine}

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
  description: Names of the snapshots that were made before collections were deleted or rebuilt, by collection.
  returned: success
  type: dict
  sample: {}
too_new:
  description: Declared options that the server is too old for, with the version that they take.
  returned: failed for that reason
  type: list
  elements: str
  sample: ["events: hnsw_config.inline_storage (Qdrant 1.16)"]
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

from typing import Callable

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.client import Client
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.connection import (
    CONNECTION_SPEC,
    PATH_SPEC,
    connections,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.declaration import (
    COLLECTION_SPEC,
    desired_from_params,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.resource import Collections
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import run_module


def build(module: AnsibleModule, connect: Callable[..., Client]) -> Collections:
    params = module.params
    if params["collections"] is not None:
        for option, spec in COLLECTION_SPEC.items():
            if params[option] != spec.get("default"):
                raise StackError(f"{option} stands beside collections; give it to each collection that it is meant for")
    if params["wait_timeout"] < 0:
        raise StackError(f"wait_timeout is {params['wait_timeout']:g}; it is 0 or more seconds")
    desired = desired_from_params(params)
    return Collections(
        connect(params, read_only=module.check_mode),
        desired,
        may_be_unborn=module.check_mode and params["assume_empty_if_unreachable"],
        wait_seconds=params["wait_timeout"] if params["wait"] else None,
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
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "float", "default": 300.0},
            "assume_empty_if_unreachable": {"type": "bool", "default": False},
            **CONNECTION_SPEC,
            **PATH_SPEC,
        },
        mutually_exclusive=[("name", "collections")],
        required_one_of=[("name", "collections")],
        supports_check_mode=True,
    )
    with connections() as connect:
        run_module(module, lambda: build(module, connect))


if __name__ == "__main__":
    main()

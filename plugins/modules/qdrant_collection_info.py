#!/usr/bin/python

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: qdrant_collection_info
short_description: Look at Qdrant collections
version_added: "0.1.0"
author:
  - bestviable.planner_memory contributors (@bestviable)
description:
  - Reads collections, their settings, payload indexes and aliases, under the names that
    M(bestviable.planner_memory.qdrant_collection) takes.
  - Reads the list of collections and the list of aliases once, and each collection once.
extends_documentation_fragment:
  - bestviable.planner_memory.qdrant
  - bestviable.planner_memory.qdrant.path
attributes:
  check_mode:
    support: full
    description: Never changes anything.
  diff_mode:
    support: none
    description: There is nothing to compare.
options:
  names:
    description:
      - Collections to read, by name or alias. One that is not there is left out of the answer.
      - Without this, all of them.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Look at everything
  bestviable.planner_memory.qdrant_collection_info:
  register: qdrant

- name: Be sure that a collection holds points
  bestviable.planner_memory.qdrant_collection_info:
    names: [doc_chunks]
  register: found
  failed_when: found.collections.doc_chunks.points == 0
"""

RETURN = r"""
collections:
  description: Each collection by the name that was asked for.
  returned: success
  type: dict
  sample:
    events:
      collection: events
      status: green
      points: 12
      aliases: [live]
      vectors: {"": {distance: Cosine, size: 1536}}
      payload_indexes: {client_id: {type: integer}}
      hnsw_config: {m: 16, ef_construct: 100}
names:
  description: The names of all collections on the server.
  returned: success
  type: list
  elements: str
  sample: [events]
aliases:
  description: The collection of every alias on the server.
  returned: success
  type: dict
  sample: {live: events}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.connection import (
    CONNECTION_SPEC,
    PATH_SPEC,
    connections,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.info import look
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import run_info


def main() -> None:
    module = AnsibleModule(
        argument_spec={"names": {"type": "list", "elements": "str"}, **CONNECTION_SPEC, **PATH_SPEC},
        supports_check_mode=True,
    )
    with connections() as connect:
        run_info(module, lambda: look(connect(module.params, read_only=True), module.params["names"]))


if __name__ == "__main__":
    main()

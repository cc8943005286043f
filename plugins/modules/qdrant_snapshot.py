#!/usr/bin/python

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: qdrant_snapshot
short_description: Make, prune, download, delete and restore snapshots of a Qdrant collection
version_added: "0.1.0"
author:
  - bestviable.planner_memory contributors (@bestviable)
description:
  - One module run for a backup of a collection, from making it to pruning what is old.
  - A restore over points needs a second word.
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
  collection:
    description: The collection, by its name or an alias.
    type: str
    required: true
  state:
    description:
      - V(present) makes a snapshot, unless O(name) says which one there is already or O(newer_than) is satisfied; then
        it downloads to O(dest) and prunes by O(keep) and O(keep_for).
      - V(absent) deletes the snapshot O(name).
      - V(listed) makes nothing, and downloads where O(dest) is given.
      - V(restored) puts a snapshot in the place of what the collection holds, each time that it runs. The collection
        need not exist.
    type: str
    choices: [present, absent, listed, restored]
    default: present
  name:
    description: Name of one snapshot on the server, which names them itself.
    type: str
  newer_than:
    description: Make none if the newest is not older than this, such as V(12h) or V(1d); units are s, m, h, d and w.
    type: str
  keep:
    description: Keep that many of the newest, and delete the others.
    type: int
  keep_for:
    description: Delete those that are older than this, such as V(30d). The newest is always kept.
    type: str
  dest:
    description:
      - File on the target host to download to. The new snapshot, or O(name), or else the newest.
      - A file that has the snapshot's checksum already is not downloaded again.
    type: path
  src:
    description: For O(state=restored), a snapshot file on the target host, which is uploaded.
    type: path
  location:
    description: For O(state=restored), where the server itself finds the snapshot, as C(file:///…) or C(https://…).
    type: str
  checksum:
    description: For O(state=restored), the SHA-256 that the snapshot must have.
    type: str
  priority:
    description: For O(state=restored) in a cluster, whose data win where replicas differ.
    type: str
    choices: [snapshot, replica, no_sync]
    default: snapshot
  snapshots_path:
    description: For O(state=restored) with O(name), the server's snapshot folder as the server itself sees it.
    type: str
    default: /qdrant/snapshots
  confirm_data_loss:
    description: For O(state=restored), the name of the collection, as the second word where it holds points.
    type: str
"""

EXAMPLES = r"""
- name: A snapshot a day, seven of them, the newest also as a file
  bestviable.planner_memory.qdrant_snapshot:
    collection: doc_chunks
    newer_than: 20h
    keep: 7
    dest: /var/backups/doc_chunks.snapshot

- name: See what there is
  bestviable.planner_memory.qdrant_snapshot:
    collection: doc_chunks
    state: listed
  register: found

- name: Put a file back in the place of what the collection holds
  bestviable.planner_memory.qdrant_snapshot:
    collection: doc_chunks
    state: restored
    src: /var/backups/doc_chunks.snapshot
    confirm_data_loss: doc_chunks
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done, in order, one line each.
  returned: always
  type: list
  elements: str
  sample: [make a snapshot of doc_chunks]
snapshots:
  description: The snapshots on the server, oldest first; in check mode those that are there now.
  returned: success
  type: list
  elements: dict
  sample:
    - {name: doc_chunks-1.snapshot, creation_time: "2026-11-24T10:00:00", size: 60928, checksum: 8c2c}
created:
  description: Name of the snapshot that was made.
  returned: success
  type: str
  sample: doc_chunks-1.snapshot
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.connection import (
    CONNECTION_SPEC,
    connect,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.snapshots import (
    Snapshots,
    wanted_from_params,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import run_module


def build(module: AnsibleModule) -> Snapshots:
    wanted = wanted_from_params(module.params)
    return Snapshots(connect(module.params, read_only=module.check_mode), wanted)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "collection": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent", "listed", "restored"], "default": "present"},
            "name": {"type": "str"},
            "newer_than": {"type": "str"},
            "keep": {"type": "int"},
            "keep_for": {"type": "str"},
            "dest": {"type": "path"},
            "src": {"type": "path"},
            "location": {"type": "str"},
            "checksum": {"type": "str"},
            "priority": {"type": "str", "choices": ["snapshot", "replica", "no_sync"], "default": "snapshot"},
            "snapshots_path": {"type": "str", "default": "/qdrant/snapshots"},
            "confirm_data_loss": {"type": "str"},
            **CONNECTION_SPEC,
        },
        supports_check_mode=True,
    )
    run_module(module, lambda: build(module))


if __name__ == "__main__":
    main()

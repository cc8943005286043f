#!/usr/bin/python
# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: valkey_info
short_description: Look at a Valkey server
version_added: "0.1.0"
author: [bestviable.planner_memory contributors (@bestviable)]
description:
  - Asks a Valkey server how fast it answers, what its settings are and in what they are not the declared ones,
    what it evicted, how much memory it uses, and how its persistence is doing.
  - Sends C(AUTH), C(PING), C(INFO) and C(CONFIG GET) over one connection, and nothing that changes anything.
  - Needs no library on the host, and no TLS; the port is published on 127.0.0.1.
attributes:
  check_mode:
    support: full
    description: Can run in check mode and never changes anything.
  diff_mode:
    support: none
    description: Nothing changes, so there is no difference to show.
options:
  host:
    description: Where the server listens, as the target host reaches it.
    type: str
    default: 127.0.0.1
  port:
    description: Its port.
    type: int
    default: 6379
  username:
    description: User of the server's ACL; without it O(password) is the default user's.
    type: str
  password:
    description: Its password; without it nobody logs in.
    type: str
  timeout:
    description: Seconds for connecting, and for each answer as a whole.
    type: float
    default: 5
  expected:
    description:
      - Settings by the names of C(CONFIG GET), with the values that are declared.
      - Sizes are compared as bytes, so V(200mb) is V(209715200); V(true) is C(yes), V(false) is C(no).
      - Settings whose value is a secret are refused.
    type: dict
    default: {}
  pings:
    description: How many times C(PING) is sent, from 1 to 1000.
    type: int
    default: 5
"""

EXAMPLES = r"""
- name: Look at the cache
  bestviable.planner_memory.valkey_info:
  register: valkey

- name: Be sure that the cache is set as declared, answers within 100 ms and can write its file
  bestviable.planner_memory.valkey_info:
    expected:
      maxmemory: 200mb
      maxmemory-policy: allkeys-lru
      appendonly: true
      appendfsync: everysec
      save: ""
  register: valkey
  failed_when: >-
    valkey.differences | length > 0 or valkey.ping.worst_ms > 100
    or not valkey.persistence.aof_last_write_ok

- name: Look with a password
  bestviable.planner_memory.valkey_info:
    username: planner
    password: "{{ vault_valkey_password }}"
"""

RETURN = r"""
server:
  description: What the server calls itself, C(valkey) or C(redis).
  returned: success
  type: str
  sample: valkey
version:
  description: Its version.
  returned: success
  type: str
  sample: 8.1.1
uptime_seconds:
  description: Seconds since it started.
  returned: success
  type: int
  sample: 86400
clients:
  description: Clients that are connected, this one too.
  returned: success
  type: int
  sample: 5
keys:
  description: Keys in all of its databases.
  returned: success
  type: int
  sample: 120000
ping:
  description: Times from C(PING) to C(PONG), over a connection that stands.
  returned: success
  type: dict
  sample: {count: 5, best_ms: 0.06, median_ms: 0.08, worst_ms: 0.21}
settings:
  description: The effective settings that O(expected) names, and those of memory and persistence.
  returned: success
  type: dict
  sample: {appendfsync: everysec, appendonly: "yes", maxmemory: "209715200", maxmemory-policy: allkeys-lru, save: ""}
differences:
  description: In what the settings are not those of O(expected), a sentence each.
  returned: success
  type: list
  elements: str
  sample: ["maxmemory: wanted 200mb, seen 104857600"]
memory:
  description: Memory in bytes, and which keys go when RV(memory.max_bytes) is reached.
  returned: success
  type: dict
  contains:
    used_bytes: {description: What it holds., type: int, returned: success, sample: 209000000}
    peak_bytes: {description: The most that it held., type: int, returned: success, sample: 209715000}
    rss_bytes: {description: What the system gave it., type: int, returned: success, sample: 220000000}
    max_bytes: {description: What it may hold; 0 is without limit., type: int, returned: success, sample: 209715200}
    policy: {description: Which keys go., type: str, returned: success, sample: allkeys-lru}
evictions:
  description: Counters since the server started.
  returned: success
  type: dict
  contains:
    evicted_keys: {description: Keys that went for lack of memory., type: int, returned: success, sample: 407855}
    expired_keys: {description: Keys whose time was over., type: int, returned: success, sample: 12}
    hits: {description: Keys that were asked for and there., type: int, returned: success, sample: 9000}
    misses: {description: Keys that were asked for and not there., type: int, returned: success, sample: 1000}
persistence:
  description: How what it holds gets to the disk.
  returned: success
  type: dict
  contains:
    loading: {description: Whether it is still reading its file., type: bool, returned: success, sample: false}
    aof_enabled: {description: Whether it keeps an append-only file., type: bool, returned: success, sample: true}
    aof_last_write_ok: {description: Whether its last write succeeded., type: bool, returned: success, sample: true}
    aof_rewrite_in_progress: {description: Whether it is being rewritten., type: bool, returned: success, sample: false}
    aof_last_rewrite_ok: {description: Whether the last rewrite succeeded., type: bool, returned: success, sample: true}
    aof_size_bytes: {description: Its size., type: int, returned: success, sample: 345000000}
    rdb_last_save_ok: {description: Whether the last snapshot succeeded., type: bool, returned: success, sample: true}
    rdb_changes_since_save: {description: Writes since the last snapshot., type: int, returned: success, sample: 0}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import run_info
from ansible_collections.bestviable.planner_memory.plugins.module_utils._valkey.connection import CONNECTION_SPEC
from ansible_collections.bestviable.planner_memory.plugins.module_utils._valkey.info import look


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_SPEC,
            "expected": {"type": "dict", "default": {}},
            "pings": {"type": "int", "default": 5},
        },
        supports_check_mode=True,
    )
    run_info(module, lambda: look(module.params))


if __name__ == "__main__":
    main()

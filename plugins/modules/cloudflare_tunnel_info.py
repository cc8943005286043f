#!/usr/bin/python

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cloudflare_tunnel_info
short_description: Read the rules of a Cloudflare Tunnel
version_added: "0.1.0"
author:
  - bestviable.planner_memory contributors (@bestviable)
description:
  - Reads a tunnel's state, its ingress rules and, where O(zone_id) is given, the hosts whose CNAME leads to it.
extends_documentation_fragment:
  - bestviable.planner_memory.cloudflare
attributes:
  check_mode:
    support: full
    description: Can run in check mode and never changes anything.
  diff_mode:
    support: none
    description: Nothing changes, so there is no difference to show.
seealso:
  - module: bestviable.planner_memory.cloudflare_tunnel
"""

EXAMPLES = r"""
- name: Read the rules
  bestviable.planner_memory.cloudflare_tunnel_info:
    api_token: "{{ cloudflare_api_token }}"
    account_id: 023e105f4ecef8ad9ca31a8372d0c353
    tunnel_id: f70ff985-a4ef-4643-bbbc-4a0ed4fc8415
  register: tunnel
"""

RETURN = r"""
name:
  description: The tunnel's name.
  returned: success
  type: str
  sample: droplet
status:
  description: Whether connectors are connected, V(healthy), V(degraded), V(inactive) or V(down).
  returned: success
  type: str
  sample: healthy
source:
  description: Where its rules come from, V(cloudflare) or V(local).
  returned: success
  type: str
  sample: cloudflare
version:
  description: Version of the configuration.
  returned: success
  type: int
  sample: 7
ingress:
  description: All rules in their order.
  returned: success
  type: list
  elements: dict
  sample: [{service: "http_status:404"}]
cname_target:
  description: Where the CNAME of a public host has to point.
  returned: success
  type: str
  sample: f70ff985-a4ef-4643-bbbc-4a0ed4fc8415.cfargotunnel.com
cnames:
  description: Hosts whose proxied CNAME leads to this tunnel.
  returned: success, when O(zone_id) is given
  type: list
  elements: str
  sample: [memory.example.org]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._cloudflare.client import (
    CONNECTION_SPEC,
    Client,
    connect,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._cloudflare.resource import read_tunnel
from ansible_collections.bestviable.planner_memory.plugins.module_utils._cloudflare.rules import normal
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import run_info


def read(client: Client) -> dict[str, Any]:
    about = read_tunnel(client)
    answer = client.configuration()
    found: dict[str, Any] = {
        "name": about.get("name"),
        "status": about.get("status"),
        "source": about.get("config_src"),
        "version": int(answer.get("version") or 0),
        "ingress": [normal(rule) for rule in (answer.get("config") or {}).get("ingress") or []],
        "cname_target": client.target,
    }
    if client.zone:
        found["cnames"] = sorted(client.cnames())
    return found


def main() -> None:
    module = AnsibleModule(argument_spec=CONNECTION_SPEC, supports_check_mode=True)
    run_info(module, lambda: read(connect(module.params, read_only=True)))


if __name__ == "__main__":
    main()

#!/usr/bin/python

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cloudflare_tunnel
short_description: Manage the rules of a remotely managed Cloudflare Tunnel
version_added: "0.1.0"
author:
  - bestviable.planner_memory contributors (@bestviable)
description:
  - Brings the ingress rules of the declared hosts to the declared state, in the tunnel's configuration at Cloudflare.
  - All rules of a declared host are this module's; rules of other hosts and all other settings are kept as they are, in
    their order.
  - A rule that a wildcard would hide is put before that wildcard. The catch-all always comes last.
  - The version of the configuration is compared before and after writing. Somebody else's edit in between is an error.
  - CNAME records are looked at and not changed; M(community.general.cloudflare_dns) does that for what
    RV(cnames_missing) names.
extends_documentation_fragment:
  - bestviable.planner_memory.cloudflare
attributes:
  check_mode:
    support: full
    description: Can run in check mode and tells what it would do without doing it.
  diff_mode:
    support: full
    description: Returns all rules before and after.
options:
  rules:
    description: The rules, in the order in which those of one host are tried.
    type: list
    elements: dict
    required: true
    suboptions:
      hostname:
        description: The public host; C(*.example.org) takes all below it.
        type: str
        required: true
      path:
        description: Regular expression that the path has to match.
        type: str
      service:
        description: Where requests go, such as V(http://traefik:80). Needed unless the rule is to be absent.
        type: str
      origin_request:
        description:
          - Settings of the connection to the service, under Cloudflare's names, such as C(noTLSVerify).
          - Settings that are not named here are removed.
        type: dict
      state:
        description: V(absent) removes every rule of the host.
        type: str
        choices: [present, absent]
        default: present
  catch_all:
    description:
      - The service of the last rule.
      - If not given, the one that is there stays, and where there is none, V(http_status:404) is added.
    type: str
notes:
  - A tunnel that takes its rules from a local file is refused, for writing rules would migrate it for good.
seealso:
  - module: bestviable.planner_memory.cloudflare_tunnel_info
  - module: community.general.cloudflare_dns
"""

EXAMPLES = r"""
- name: Route two hosts to Traefik
  bestviable.planner_memory.cloudflare_tunnel:
    api_token: "{{ cloudflare_api_token }}"
    account_id: 023e105f4ecef8ad9ca31a8372d0c353
    tunnel_id: f70ff985-a4ef-4643-bbbc-4a0ed4fc8415
    rules:
      - hostname: memory.example.org
        service: http://traefik:80
      - hostname: planner.example.org
        service: http://traefik:80
        origin_request: {connectTimeout: 10}

- name: Stop routing a host
  bestviable.planner_memory.cloudflare_tunnel:
    api_token: "{{ cloudflare_api_token }}"
    account_id: 023e105f4ecef8ad9ca31a8372d0c353
    tunnel_id: f70ff985-a4ef-4643-bbbc-4a0ed4fc8415
    rules:
      - hostname: old.example.org
        state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done.
  returned: success
  type: list
  elements: str
  sample: ["tunnel f70ff985-a4ef-4643-bbbc-4a0ed4fc8415: add memory.example.org -> http://traefik:80"]
ingress:
  description: All rules in their order, other people's too.
  returned: success
  type: list
  elements: dict
  sample:
    - {hostname: memory.example.org, service: "http://traefik:80"}
    - {service: "http_status:404"}
version:
  description: Version of the configuration as it was last read.
  returned: success
  type: int
  sample: 7
status:
  description: Whether connectors are connected, V(healthy), V(degraded), V(inactive) or V(down).
  returned: success
  type: str
  sample: healthy
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
cnames_missing:
  description: Hosts with a rule that no proxied CNAME leads to this tunnel.
  returned: success, when O(zone_id) is given
  type: list
  elements: str
  sample: []
cnames_blocked:
  description: Those of RV(cnames_missing) whose address record leaves no room for a CNAME, with that record.
  returned: success, when O(zone_id) is given
  type: dict
  sample: {old.example.org: A 192.0.2.1}
cnames_left:
  description: Hosts without a rule whose CNAME still leads to this tunnel.
  returned: success, when O(zone_id) is given
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._cloudflare.client import (
    CONNECTION_SPEC,
    connect,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._cloudflare.resource import TunnelRules
from ansible_collections.bestviable.planner_memory.plugins.module_utils._cloudflare.rules import SERVICE, declared
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import run_module


def build(module: AnsibleModule) -> TunnelRules:
    params = module.params
    wanted = declared(params["rules"])
    if params["catch_all"] is not None and not SERVICE.fullmatch(params["catch_all"]):
        raise StackError(f"catch_all is {params['catch_all']!r}, which leads nowhere; write it like http_status:404")
    return TunnelRules(connect(params, read_only=module.check_mode), wanted, params["catch_all"])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "rules": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "hostname": {"type": "str", "required": True},
                    "path": {"type": "str"},
                    "service": {"type": "str"},
                    "origin_request": {"type": "dict"},
                    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
                },
            },
            "catch_all": {"type": "str"},
            **CONNECTION_SPEC,
        },
        supports_check_mode=True,
    )
    run_module(module, lambda: build(module))


if __name__ == "__main__":
    main()

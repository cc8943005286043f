# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: n8n_owner
short_description: Owner and API key of an n8n, without a browser
version_added: "0.1.0"
description:
  - Waits until n8n is ready, sets up its owner where there is none, makes an API key and keeps it on the host.
  - A kept key that n8n accepts is all that is needed; then the module makes one request and changes nothing.
  - A kept key that n8n refuses is replaced. The module logs in at most once, for n8n takes five logins a minute.
  - An owner who is there already, also one that n8n's environment sets up at each start, is left as he is;
    O(first_name), O(last_name) and O(password) are then not compared.
  - >-
    The key gets those of these scopes that n8n offers: C(workflow:create), C(workflow:read), C(workflow:update),
    C(workflow:delete), C(workflow:list), C(workflow:activate), C(workflow:deactivate), C(credential:create),
    C(credential:read), C(credential:update), C(credential:delete), C(credential:list), C(execution:read),
    C(execution:list), C(execution:retry), C(tag:create), C(tag:list), C(workflowTags:list), C(workflowTags:update).
author: [bestviable.planner_memory contributors (@bestviable)]
extends_documentation_fragment:
  - bestviable.planner_memory.n8n
attributes:
  check_mode:
    description: Predicts every step; see also O(assume_empty_if_unreachable).
    support: full
  diff_mode:
    description: Shows whether owner and key are there.
    support: full
options:
  email:
    description: Address of the owner, which is also the name that he logs in with.
    type: str
    required: true
  password:
    description:
      - Password of the owner, 8 to 64 characters with an upper case letter and a digit.
      - It is needed only as long as there is no key that works.
    type: str
    default: ""
  first_name:
    description: First name of a new owner.
    type: str
    default: Planner
  last_name:
    description: Last name of a new owner.
    type: str
    default: Memory
  api_key_file:
    description: File on the host that keeps the API key. Only its owner can read it.
    type: path
    required: true
  api_key_label:
    description: Name of the API key in n8n. A key of this name whose file is lost is replaced.
    type: str
    default: ansible
  session_file:
    description:
      - File on the host that keeps the owner's session, as M(bestviable.planner_memory.n8n_workflow) can use it.
      - A session that n8n still accepts saves the login. Only its owner can read the file.
    type: path
  wait_timeout:
    description: Seconds to wait until n8n is ready; the first start takes half a minute on a small host.
    type: int
    default: 180
seealso:
  - module: bestviable.planner_memory.n8n_credential
  - module: bestviable.planner_memory.n8n_workflow
"""

EXAMPLES = r"""
- name: Set up n8n and keep a key
  bestviable.planner_memory.n8n_owner:
    email: david@example.com
    password: "{{ n8n_owner_password }}"
    api_key_file: /home/david/services/n8n/api_key
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode.
  returned: success
  type: list
  elements: str
  sample: [set up david@example.com as the owner of n8n]
api_key_file:
  description: The file that keeps the key.
  returned: success
  type: str
  sample: /home/david/services/n8n/api_key
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.client import CONNECTION_SPEC
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.owner import Owner
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import run_module


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_SPEC,
            "email": {"type": "str", "required": True},
            "password": {"type": "str", "default": "", "no_log": True},
            "first_name": {"type": "str", "default": "Planner"},
            "last_name": {"type": "str", "default": "Memory"},
            "api_key_file": {"type": "path", "required": True, "no_log": False},
            "api_key_label": {"type": "str", "default": "ansible", "no_log": False},
            "session_file": {"type": "path", "no_log": False},
            "wait_timeout": {"type": "int", "default": 180},
        },
        supports_check_mode=True,
    )
    run_module(module, lambda: Owner(module.params, read_only=module.check_mode))


if __name__ == "__main__":
    main()

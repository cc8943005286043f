# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: n8n_credential_info
short_description: Tells which credentials an n8n has
version_added: "0.1.0"
description:
  - Lists credentials of n8n by name. What is in them n8n never shows.
author: [bestviable.planner_memory contributors (@bestviable)]
extends_documentation_fragment:
  - bestviable.planner_memory.n8n
  - bestviable.planner_memory.n8n.key
attributes:
  check_mode:
    description:
      - Only reads. An n8n that has no key yet is then taken to be empty; see also O(assume_empty_if_unreachable).
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
options:
  names:
    description: Names of the credentials to tell of; all where it is left out.
    type: list
    elements: str
  type:
    description: Type of the credentials to tell of, such as V(postgres).
    type: str
seealso:
  - module: bestviable.planner_memory.n8n_credential
"""

EXAMPLES = r"""
- name: Ask for the credentials for Postgres
  bestviable.planner_memory.n8n_credential_info:
    api_key_file: /home/david/services/n8n/api_key
    type: postgres
  register: n8n_postgres
"""

RETURN = r"""
credentials:
  description: The credentials, by name.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Id of the credential in n8n.
      type: str
    name:
      description: Name of the credential.
      type: str
    type:
      description: Type of the credential.
      type: str
    created_at:
      description: When it was made.
      type: str
    updated_at:
      description: When it was changed last.
      type: str
  sample:
    - id: yBzXqvKWsoeQqFTL
      name: planner-memory-postgres
      type: postgres
      created_at: "2026-11-24T15:27:29.516Z"
      updated_at: "2026-11-24T15:27:29.516Z"
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n import info
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.client import (
    CONNECTION_SPEC,
    KEY_SPEC,
    Api,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import run_info


def read(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    api = Api(params, read_only=check_mode)
    found = info.credentials(api, names=params["names"], kind=params["type"])
    return {"credentials": found, "warnings": api.warnings}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_SPEC,
            **KEY_SPEC,
            "names": {"type": "list", "elements": "str"},
            "type": {"type": "str"},
        },
        supports_check_mode=True,
        required_one_of=[("api_key", "api_key_file")],
    )
    run_info(module, lambda: read(module.params, module.check_mode))


if __name__ == "__main__":
    main()

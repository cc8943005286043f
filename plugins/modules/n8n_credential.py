# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: n8n_credential
short_description: Credentials of n8n
version_added: "0.1.0"
description:
  - Creates, updates and deletes credentials of n8n, one or many in one session and one listing.
  - n8n never shows what is in a credential. O(state_file) remembers a salted fingerprint of what was put there and when
    n8n last changed it, so that a change of the declaration and an edit in n8n are noticed without reading a secret.
  - A credential is known by its name; two of one name in n8n are an error. One that was renamed in n8n is known by the
    id in O(state_file) and gets its name back. Two runs at the same moment make one credential, for who comes second
    goes on with the first one's; the first one then fails where the second writes before it has read back.
author: [bestviable.planner_memory contributors (@bestviable)]
extends_documentation_fragment:
  - bestviable.planner_memory.n8n
  - bestviable.planner_memory.n8n.key
attributes:
  check_mode:
    description:
      - Predicts every step. An n8n that has no key yet is taken to be empty; see also O(assume_empty_if_unreachable).
    support: full
  diff_mode:
    description: Shows type and whether the data are as declared, never the data.
    support: full
options:
  credentials:
    description: Many credentials. Use either this or O(name).
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the credential, of 3 to 128 characters; for O(state=absent) of any length.
        type: str
        required: true
      type:
        description: Type of the credential in n8n. Needed for O(state=present).
        type: str
      data:
        description:
          - Fields of the type, such as C(host), C(port), C(database), C(user), C(password) for C(postgres).
          - Values of C(host), C(port), C(database), C(user), C(ssl) and C(name) may be shown; no other value ever is.
          - Other values are masked wherever they occur, unless they have less than four characters. Masking those would
            leave no message that can be read, so they are left out where the options are repeated, and only there.
        type: dict
  name:
    description: Name of the one credential, as O(credentials[].name).
    type: str
  type:
    description: Type of the one credential in n8n.
    type: str
  data:
    description: Fields of the one credential.
    type: dict
  state:
    description: Whether the credentials are there.
    type: str
    choices: [present, absent]
    default: present
  rotate:
    description:
      - Writes the data of the declared credentials once more, whatever is remembered of them.
      - For after a restore of n8n's database, or where somebody may have put other data there.
      - This is a change each time.
    type: bool
    default: false
  state_file:
    description:
      - File on the host for the fingerprints. Only its owner can read it.
      - When it is lost, every credential is written once more.
    type: path
    required: true
seealso:
  - module: bestviable.planner_memory.n8n_owner
  - module: bestviable.planner_memory.n8n_workflow
"""

EXAMPLES = r"""
- name: Let workflows reach Postgres
  bestviable.planner_memory.n8n_credential:
    api_key_file: /home/david/services/n8n/api_key
    state_file: /home/david/services/n8n/credentials.json
    credentials:
      - name: planner-memory-postgres
        type: postgres
        data:
          host: postgres
          port: 5432
          database: n8ndb
          user: n8n
          password: "{{ postgres_password }}"
          ssl: disable

- name: Write what may have been changed behind our back once more
  bestviable.planner_memory.n8n_credential:
    api_key_file: /home/david/services/n8n/api_key
    state_file: /home/david/services/n8n/credentials.json
    name: calendar
    type: httpHeaderAuth
    data:
      name: Authorization
      value: "Bearer {{ calendar_token }}"
    rotate: true

- name: Remove a credential
  bestviable.planner_memory.n8n_credential:
    api_key_file: /home/david/services/n8n/api_key
    state_file: /home/david/services/n8n/credentials.json
    name: old-postgres
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode.
  returned: success
  type: list
  elements: str
  sample: [create credential 'planner-memory-postgres' of type postgres]
credentials:
  description: Ids of the declared credentials that n8n has, by name.
  returned: success
  type: dict
  sample: {planner-memory-postgres: yBzXqvKWsoeQqFTL}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.client import (
    CONNECTION_SPEC,
    KEY_SPEC,
    Api,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.credentials import (
    Credentials,
    public_values,
    short_values,
    without,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import run_module


def main() -> None:
    one = {
        "type": {"type": "str"},
        "data": {"type": "dict", "no_log": True},
    }
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_SPEC,
            **KEY_SPEC,
            **one,
            "name": {"type": "str"},
            "credentials": {
                "type": "list",
                "elements": "dict",
                "options": {**one, "name": {"type": "str", "required": True}},
            },
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "rotate": {"type": "bool", "default": False},
            "state_file": {"type": "path", "required": True},
        },
        supports_check_mode=True,
        mutually_exclusive=[("credentials", "name"), ("credentials", "type"), ("credentials", "data")],
        required_one_of=[("credentials", "name"), ("api_key", "api_key_file")],
    )
    params = module.params
    wanted = params["credentials"]
    if wanted is None:
        wanted = [{key: params[key] for key in ("name", "type", "data")}]
    hide_data(module, [item["data"] or {} for item in wanted])
    run_module(
        module,
        lambda: Credentials(
            Api(params, read_only=module.check_mode),
            wanted,
            **{key: params[key] for key in ("state", "state_file", "rotate")},
        ),
    )


def hide_data(module: AnsibleModule, data: list[dict[str, Any]]) -> None:
    """Keep what is in credentials out of what is printed, and the words that are printed whole.

    Ansible would hide every value of data wherever it occurs: with the database's name "n8n" every "n8n" in every
    message, with "a" every "a". What is that short is left blank where Ansible repeats the options, and nowhere else.
    """
    shown, short = public_values(data), short_values(data)
    module.no_log_values.difference_update(shown | short)
    module.params = {
        key: without(value, short - shown) if key in ("data", "credentials") else value
        for key, value in module.params.items()
    }


if __name__ == "__main__":
    main()

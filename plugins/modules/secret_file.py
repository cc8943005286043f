#!/usr/bin/python
# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: secret_file
short_description: Keep generated secrets in one file on the host
version_added: "0.1.0"
author: [bestviable.planner_memory contributors (@bestviable)]
description:
  - Generates the secrets that lack, keeps those that are there, and returns all of them.
  - The file is JSON of mode 0600, written atomically; it belongs to the owner of its folder.
  - A secret that is in use never changes silently.
  - The task must have C(no_log=true), because the secrets are in its result.
attributes:
  check_mode:
    support: full
    description: Can run in check mode and return what a run would have returned.
    details: A secret that a run would generate is returned as V(made-by-the-next-run).
  diff_mode:
    support: full
    description: Shows names and the mode, never values.
options:
  path:
    description: The file; folders that lack are made.
    type: path
    required: true
  secrets:
    description:
      - What has to be there.
      - A list of names or of mappings with C(name) and C(length), or a mapping of name to length.
      - Without a length a secret has 32 letters and digits.
    type: raw
    required: true
  values:
    description:
      - Secrets that the operator gives, name to value; an empty one counts as not given.
      - One that differs from what is in the file is refused unless O(rotate) names it.
    type: dict
    default: {}
  rotate:
    description: Names whose value may be replaced by that in O(values).
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Read or make the secrets of this host
  bestviable.planner_memory.secret_file:
    path: /home/david/services/.secrets/planner_memory.json
    secrets:
      - postgres_password
      - {name: n8n_encryption_key, length: 48}
  register: stack_secret_file
  no_log: true
"""

RETURN = r"""
secrets:
  description: All secrets of the file, name to value.
  returned: success
  type: dict
  sample: {"postgres_password": "…"}
generated:
  description: Names that this run made, or would make in check mode.
  returned: success
  type: list
  elements: str
  sample: [postgres_password]
actions:
  description: What was done, or would be done, in words.
  returned: success
  type: list
  elements: str
  sample: ["generate postgres_password in /home/david/services/.secrets/planner_memory.json"]
diff:
  description: Names and mode before and after.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose import files
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import run_module
from ansible_collections.bestviable.planner_memory.plugins.module_utils._secrets import SecretFile, Wanted, lengths_of


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "secrets": {"type": "raw", "required": True, "no_log": False},
            "values": {"type": "dict", "default": {}, "no_log": True},
            "rotate": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    if not module.no_log:
        module.fail_json(msg="secret_file returns secrets; put no_log: true on its task")
    # The values have to come back in the result; from here on no_log of the task hides them.
    module.no_log_values.clear()

    def build() -> SecretFile:
        params = module.params
        values = {name: "" if value is None else str(value) for name, value in params["values"].items()}
        wanted = Wanted(lengths_of(params["secrets"]), values, frozenset(params["rotate"]))
        return SecretFile(params["path"], wanted, files, check_mode=module.check_mode)

    run_module(module, build)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_service
short_description: Keep one small service of this collection on the host
version_added: "0.1.0"
author: [bestviable.planner_memory contributors (@bestviable)]
description:
  - Keeps the files of the service in C(/usr/local/lib/planner-memory/NAME), and its unit
    C(/etc/systemd/system/planner-memory-NAME.service).
  - Enables and starts the unit, and restarts it when a file changed or when the service is not what its files say.
  - On a host without systemd the control program starts the service itself; it does not come back after a reboot,
    and the module warns of that.
  - Roles call it only where C(bestviable.planner_memory.host_info) saw a difference.
attributes:
  check_mode:
    support: full
    description: Can run in check mode and return what a run would have returned.
  diff_mode:
    support: full
    description: Shows the files, whether the service is enabled, and whether it runs.
options:
  name:
    description: Name of the service, of small letters, digits and dashes.
    type: str
    required: true
  state:
    description: V(absent) stops the service and removes everything of it.
    type: str
    choices: [present, absent]
    default: present
  unit:
    description: Text of the systemd unit; required where O(state=present).
    type: str
  files:
    description:
      - The files of the service; those that are there and not named are removed.
      - One is named C(control) - a program that understands C(start), C(stop) and C(status).
        The last prints one JSON mapping and ends with 0 where the service does what its files say.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: File name, without a folder.
        type: str
        required: true
      content:
        description: The whole text.
        type: str
        required: true
      mode:
        description: Four octal digits.
        type: str
        default: "0644"
"""

EXAMPLES = r"""
- name: Keep the watchdog
  bestviable.planner_memory.host_service:
    name: watchdog
    unit: "{{ lookup('ansible.builtin.template', 'watchdog.service.j2') }}"
    files:
      - {name: control, mode: "0755", content: "{{ lookup('ansible.builtin.file', 'watchdog.py') }}"}
      - {name: settings.json, content: "{{ watchdog_settings | to_nice_json }}"}
  become: true

- name: Remove it
  bestviable.planner_memory.host_service:
    name: watchdog
    state: absent
  become: true
"""

RETURN = r"""
actions:
  description: What was done, or would be done, in words.
  returned: success
  type: list
  elements: str
  sample: ["write /usr/local/lib/planner-memory/watchdog/settings.json", "restart watchdog"]
diff:
  description: Files, C(enabled) and C(running) before and after.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose import files
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live.services import HostService, wanted_of
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import run_module


class _Files:
    """Whole files by their path as text; the folder goes with its last file."""

    @staticmethod
    def write(path: str, text: str, mode: str) -> None:
        files.write(files.Path(path), text, mode)

    @staticmethod
    def remove(path: str) -> None:
        one = files.Path(path)
        files.remove(one)
        if one.suffix != ".service":
            files.remove_empty_directories(one.parent, [one.name])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "unit": {"type": "str"},
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "content": {"type": "str", "required": True},
                    "mode": {"type": "str", "default": "0644"},
                },
            },
        },
        required_if=[("state", "present", ["unit"])],
        supports_check_mode=True,
    )
    params = module.params

    def build() -> HostService:
        wanted = wanted_of(params["name"], params["unit"] or "", params["files"], params["state"])
        return HostService(wanted, _Files)

    run_module(module, build)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_inventory
short_description: Keep the services of a Markdown inventory current
version_added: "0.1.0"
author: [bestviable.planner_memory contributors (@bestviable)]
description:
  - Edits an inventory such as C(SERVICE_INVENTORY.md), which has one section a service, with lines C(**Key**:) and
    tables above them, and which people edit too.
  - Marks services as deprecated, adds sections of new ones and keeps them current. Every other line stays byte for
    byte.
  - A section is about a service when its heading is the name or one of the containers (a number, emoji, emphasis and a
    remark in parentheses or behind a dash do not count, nor do words such as C(Service 1:) before it), or when its line
    C(**Container**:) has one of the containers.
  - A section that has the containers of others too is not deprecated; a warning names it.
  - Lines may also be rows of a table with a key and a value, and the status may be without emphasis.
  - Passwords and the like in the health command of a container are written as C(***).
  - Of table rows, the cell in column C(Status) is kept. Rows are found by their columns C(Service), C(Name) and
    C(Container), or else by their first column that is not a number.
  - What was written last stands in a note beside the file, see O(state_path). Lines that a person edited since are
    merged with it line by line. A line that only a person changed is kept, with a warning. A line that both changed is
    an error that shows both texts, and nothing is written.
  - A line that is in no note is taken over.
  - When something changes, the date in lines such as C(**Last Updated**) that stand outside of the services' sections
    becomes today's. Dates that are not written as YYYY-MM-DD are left.
attributes:
  check_mode:
    support: full
    description: Can run in check mode and return what a run would have returned.
    details: There is no RV(backup_file) in check mode.
  diff_mode:
    support: full
    description: Shows the file's text before and after.
requirements:
  - markdown-it-py 2.1 or newer on the host
options:
  path:
    description: The inventory. It must exist and be UTF-8. Its owner and mode stay.
    type: path
    required: true
  services:
    description: The services. Others in the file are left alone.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the service, as in its heading.
        type: str
        required: true
      containers:
        description: Names of its containers, by which sections and rows are found too.
        type: list
        elements: str
        default: []
      state:
        description:
          - With V(present), the section has the lines given here. It is added when it lacks, with the next number.
            Lines that this module wrote before and that are no longer given are removed.
          - With V(deprecated), all sections and rows about the service get the status C(DEPRECATED) with
            O(services[].date), and sections get lines for O(services[].reason) and O(services[].archive).
          - With V(absent), its sections and table rows are removed. Other sections keep their numbers.
        type: str
        choices: [present, deprecated, absent]
        default: present
      date:
        description: Date of the deprecation as YYYY-MM-DD. Required with O(services[].state=deprecated).
        type: str
      reason:
        description: Why it is deprecated. Required with O(services[].state=deprecated).
        type: str
      archive:
        description: Where its configuration is archived.
        type: str
      inspect:
        description:
          - What C(docker inspect) tells of its containers.
          - Gives container, image, networks, limits, health, status and location, where these are not given.
        type: list
        elements: dict
        default: []
      deployed:
        description:
          - Asks the engine for O(services[].containers), or for a container of the service's name, and gives what
            O(services[].inspect) would give. Nothing that changes by itself is among it, such as memory in use.
          - A service that has no container is left as it is, with a warning.
        type: bool
        default: false
      definition:
        description:
          - With O(services[].deployed), the service as a Compose file has it, with C(image), C(networks), C(mem_limit),
            C(cpus) and C(healthcheck). Then the engine is not asked.
          - For a check run, in which its container is yet to be made.
        type: dict
      image:
        description: Line C(**Image**:).
        type: str
      networks:
        description: Line C(**Networks**:).
        type: list
        elements: str
        default: []
      limits:
        description: Line C(**Limits**:).
        type: dict
        suboptions:
          memory:
            description: Memory limit, for example V(200m).
            type: str
          cpus:
            description: CPU limit, for example V(0.5).
            type: str
      health:
        description: Line C(**Health**:), how the service is checked.
        type: str
      status:
        description: Line C(**Status**:).
        type: str
      purpose:
        description: Line C(**Purpose**:).
        type: str
      location:
        description: Line C(**Location**:).
        type: str
  last_updated:
    description:
      - Date as YYYY-MM-DD that "Last updated" lines get when something changes. Later dates in the file are left.
      - The default is the host's today.
    type: str
  hand_edits:
    description:
      - With V(merge), lines that a person edited are merged.
      - With V(replace), the lines given here replace what a person wrote instead.
    type: str
    choices: [merge, replace]
    default: merge
  state_path:
    description:
      - The note of the lines that this module wrote last, the base of a merge. JSON of mode 0600.
      - The default is C(.NAME.planner_memory.json) beside the inventory, where C(NAME) is the name of its file.
    type: path
  docker_socket:
    description:
      - Where the engine listens, for O(services[].deployed).
      - The default is what E(DOCKER_HOST) says, or else C(/var/run/docker.sock).
    type: path
  backup:
    description: Keeps a copy of the file with a timestamp beside it before it is changed.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Mark Archon as deprecated
  bestviable.planner_memory.service_inventory:
    path: /home/david/services/SERVICE_INVENTORY.md
    backup: true
    services:
      - name: Archon
        containers: [archon-server, archon-ui, archon-mcp]
        state: deprecated
        date: "2025-12-01"
        reason: Replaced by Planner & Memory Architecture system
        archive: /home/david/services/archive/archon-20251201.yml

- name: Keep the section of a deployed service, as the engine says it is
  bestviable.planner_memory.service_inventory:
    path: /home/david/services/SERVICE_INVENTORY.md
    services:
      - name: valkey
        deployed: true
        purpose: Short-term memory cache
"""

RETURN = r"""
actions:
  description: What was done, or would be done, in words.
  returned: success
  type: list
  elements: str
  sample: ["Archon, line 41: set Status to 'DEPRECATED (2025-12-01)'"]
diff:
  description: The text of the file before and after.
  returned: success
  type: dict
backup_file:
  description: The copy that was kept.
  returned: when O(backup) is set and the file was changed
  type: str
  sample: /home/david/services/SERVICE_INVENTORY.md.2101.2025-12-01@10:00:00~
sections:
  description: Titles of the sections about services that the file has.
  returned: when O(services) has a deprecated one that the file does not know
  type: list
  elements: str
  sample: [Traefik, n8n]
conflicts:
  description: Lines that both a person and this task changed, with the last, our and their text.
  returned: when there are such lines
  type: list
  elements: dict
  sample: []
"""

import datetime
import os
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose import files
from ansible_collections.bestviable.planner_memory.plugins.module_utils._inventory_doc.deployed import looked_up
from ansible_collections.bestviable.planner_memory.plugins.module_utils._inventory_doc.resource import Inventory
from ansible_collections.bestviable.planner_memory.plugins.module_utils._inventory_doc.wanted import (
    date_of,
    services_of,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live.engine import Engine
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import run_module

SERVICE_OPTIONS = {
    "name": {"type": "str", "required": True},
    "containers": {"type": "list", "elements": "str", "default": []},
    "state": {"type": "str", "choices": ["present", "deprecated", "absent"], "default": "present"},
    "date": {"type": "str"},
    "reason": {"type": "str"},
    "archive": {"type": "str"},
    "inspect": {"type": "list", "elements": "dict", "default": []},
    "deployed": {"type": "bool", "default": False},
    "definition": {"type": "dict"},
    "image": {"type": "str"},
    "networks": {"type": "list", "elements": "str", "default": []},
    "limits": {"type": "dict", "options": {"memory": {"type": "str"}, "cpus": {"type": "str"}}},
    "health": {"type": "str"},
    "status": {"type": "str"},
    "purpose": {"type": "str"},
    "location": {"type": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "services": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": SERVICE_OPTIONS,
                "required_if": [("state", "deprecated", ["date", "reason"])],
            },
            "last_updated": {"type": "str"},
            "hand_edits": {"type": "str", "choices": ["merge", "replace"], "default": "merge"},
            "state_path": {"type": "path"},
            "docker_socket": {"type": "path"},
            "backup": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )

    def replace_file(path: str, text: str) -> None:
        handle, temporary = tempfile.mkstemp(dir=module.tmpdir)
        with os.fdopen(handle, "wb") as stream:
            stream.write(text.encode("utf-8"))
        module.atomic_move(temporary, path)

    def build() -> Inventory:
        params = module.params
        given = params["last_updated"]
        date = datetime.date.today().isoformat() if given is None else date_of("last_updated", given)
        services, missing = looked_up(params["services"], Engine(params["docker_socket"]).inspect)
        return Inventory(
            params["path"],
            params["state_path"],
            services_of(services),
            date=date,
            replace=params["hand_edits"] == "replace",
            writer=files,
            replace_file=replace_file,
            backup=module.backup_local if params["backup"] else None,
            missing=missing,
        )

    run_module(module, build)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_stack
short_description: Many Docker Compose projects of one host, brought to their definitions at once
version_added: "0.1.0"
author: [bestviable.planner_memory contributors (@bestviable)]
description:
  - Writes the files of each project below O(services_dir), has them checked by C(docker compose config) before a
    working file is replaced, and brings up only the projects that differ, side by side, waiting for their health.
  - Asks the engine once for everything. Where nothing differs, Compose is not called at all.
  - Names and mends what was changed by hand. That is containers that are missing, stopped, paused, unhealthy, made from
    another definition or another image, orphans, changed limits and restart policies, edited files, and networks that
    were removed, made anew, left or joined.
  - Only the containers that are named in RV(actions) are touched.
  - Keeps a note of what was brought up in C(.compose_stack.json) in each project's directory, and of what is being
    written, so that the next run finishes what one began that failed or was killed.
  - Files belong to the owner of the nearest directory above them that was there before.
attributes:
  check_mode:
    support: full
    description: Tells what would be done without doing it, also on a host without Docker.
  diff_mode:
    support: full
    description:
      - Shows files and the state of containers.
      - Values of O(projects[].env) and files that others cannot read are masked.
requirements:
  - docker command line with the Compose plugin 2.20 or newer on the host
  - PyYAML on the host, unless O(projects[].model) is given
options:
  projects:
    description: The projects. A project that is not listed is left alone.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the project and of its directory.
        type: str
        required: true
      definition:
        description:
          - The text of its C(docker-compose.yml).
          - Required unless the project shall be absent.
        type: str
      model:
        description:
          - The same as data, for hosts without PyYAML.
          - Filter P(bestviable.planner_memory.compose_project#filter) adds it.
        type: dict
      env:
        description:
          - Environment that is written to C(NAME.env) in the project's directory, readable by its owner only, in a form
            in which Compose interpolates nothing. The definition names it as C(env_file).
          - A null leaves the variable out.
        type: dict
      files:
        description: Further files below the project's directory.
        type: list
        elements: dict
        default: []
        suboptions:
          path:
            description: Path below the project's directory.
            type: str
            required: true
          content:
            description: The text of the file.
            type: str
            required: true
          mode:
            description: Mode. Files that others cannot read are not shown in a diff.
            type: str
            default: "0644"
          owner:
            description:
              - Number of the user whom the file belongs to, such as the one that a container runs as.
              - By default the owner of the nearest directory above that was there before.
            type: int
      state:
        description: State of this project where it differs from O(state).
        type: str
        choices: [present, stopped, absent]
      after:
        description: Projects that must be up before this one is brought up. Names that are not listed are ignored.
        type: list
        elements: str
        default: []
  services_dir:
    description: Directory with one directory for each project.
    type: path
    required: true
  state:
    description:
      - With V(present), the files are written and the containers run.
      - With V(stopped), the files are written and no container runs.
      - With V(absent), containers, networks and files are removed. Volumes stay, unless O(remove_volumes) is set.
    type: str
    choices: [present, stopped, absent]
    default: present
  remove_volumes:
    description: Removes the volumes of absent projects, after a backup of each to O(backup_dir).
    type: bool
    default: false
  confirm_data_loss:
    description: Names of the projects whose volumes may be removed.
    type: list
    elements: str
    default: []
  backup_dir:
    description: Where the backups of removed volumes go.
    type: path
  pull:
    description: When images are pulled for projects that are brought up.
    type: str
    choices: [missing, never, always]
    default: missing
  wait:
    description: Waits until containers are healthy, or running where they have no health check.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds to wait for each project.
      - A stop or a removal that takes 120 seconds longer than this is ended and told as a failure; so is a start that
        takes 1920 seconds longer, for images may have to be pulled or built.
    type: int
    default: 120
  parallel:
    description: How many projects are brought up at the same time.
    type: int
    default: 4
  adopt:
    description:
      - Replaces what this module did not make. That is containers of the same name that belong to no project or to
        another one, and projects that run from files of somebody else.
      - With O(state=absent), removes projects that this module did not make. They are left alone otherwise.
    type: bool
    default: false
  coming_images:
    description:
      - Images that the run pulls or builds anew before this module's turn, so that check mode counts on it.
      - Without effect outside of check mode.
    type: list
    elements: str
    default: []
  coming_networks:
    description:
      - Networks that the run makes before this module's turn, so that check mode counts on them.
      - Without effect outside of check mode.
    type: list
    elements: str
    default: []
  host_cpus:
    description:
      - How many CPUs the engine's host has. A service whose limit is above it is refused before anything is touched.
      - By default the engine alone judges, when the container is made.
    type: int
"""

EXAMPLES = r"""
- name: Run a cache
  bestviable.planner_memory.compose_stack:
    services_dir: /home/david/services
    projects:
      - name: valkey
        definition: |
          services:
            valkey:
              image: valkey/valkey:8.1.1
              container_name: valkey
              mem_limit: 200m
              env_file: [valkey.env]
        env:
          VALKEY_EXTRA_FLAGS: "--maxmemory 100mb"

- name: Stop it
  bestviable.planner_memory.compose_stack:
    services_dir: /home/david/services
    state: stopped
    projects:
      - name: valkey
        definition: "{{ lookup('ansible.builtin.file', 'docker-compose.yml') }}"

- name: Remove it with its data
  bestviable.planner_memory.compose_stack:
    services_dir: /home/david/services
    state: absent
    remove_volumes: true
    confirm_data_loss: [valkey]
    backup_dir: /home/david/backups
    projects:
      - name: valkey
"""

RETURN = r"""
actions:
  description: What was done, or would be done, in words.
  returned: success
  type: list
  elements: str
  sample: ["valkey: start (container exited with 137)"]
projects:
  description:
    - Of each project its containers, C(changed), whether something was or would be done, and C(resting), whether
      there were containers that could not be asked before it, so that a check run cannot ask them. They did not run,
      their published ports were not those of the definition, they were out of their networks, or what they come after
      did not work.
  returned: success
  type: dict
  sample:
    valkey:
      changed: true
      resting: true
      containers:
        valkey:
          id: 3becfb831016455ed6e059f73506a02c0c3f80cc1aab29afb0917bd2788a4be0
          image: valkey/valkey:8.1.1
          status: running
          health: healthy
          restart_count: 0
          started_at: "2026-01-01T10:00:00.000000000Z"
backups:
  description: Backups of removed volumes.
  returned: success
  type: list
  elements: str
  sample: ["/home/david/backups/valkey_data-20260101T100000.tar"]
actions_done:
  description: The files that a run had written when it failed, in words.
  returned: when a project did not come up
  type: list
  elements: str
  sample: ["valkey: update docker-compose.yml"]
failed_projects:
  description:
    - For each project that did not come up, the error, and status, health output and last log lines of its containers.
  returned: when a project did not come up
  type: dict
  sample: {}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.files import HIDDEN, is_secret
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.project import (
    build,
    refuse_cpus,
    secret_values,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.stack import ComposeStack, Policy
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import run_module

STATES = ["present", "stopped", "absent"]


def argument_spec() -> dict[str, Any]:
    file = {
        "path": {"type": "str", "required": True},
        "content": {"type": "str", "required": True, "no_log": True},
        "mode": {"type": "str", "default": "0644"},
        "owner": {"type": "int"},
    }
    project = {
        "name": {"type": "str", "required": True},
        "definition": {"type": "str"},
        "model": {"type": "dict"},
        "env": {"type": "dict", "no_log": True},
        "files": {"type": "list", "elements": "dict", "default": [], "options": file},
        "state": {"type": "str", "choices": STATES},
        "after": {"type": "list", "elements": "str", "default": []},
    }
    return {
        "projects": {"type": "list", "elements": "dict", "required": True, "options": project},
        "services_dir": {"type": "path", "required": True},
        "state": {"type": "str", "choices": STATES, "default": "present"},
        "remove_volumes": {"type": "bool", "default": False},
        "confirm_data_loss": {"type": "list", "elements": "str", "default": []},
        "backup_dir": {"type": "path"},
        "pull": {"type": "str", "choices": ["missing", "never", "always"], "default": "missing"},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 120},
        "parallel": {"type": "int", "default": 4},
        "adopt": {"type": "bool", "default": False},
        "coming_images": {"type": "list", "elements": "str", "default": []},
        "coming_networks": {"type": "list", "elements": "str", "default": []},
        "host_cpus": {"type": "int"},
    }


def hide_secrets(module: AnsibleModule, params: dict[str, Any]) -> None:
    """Mask by value what is secret, and by place the rest of every environment.

    ``no_log`` alone would mask each env value wherever it occurs, and so turn container names, ports and counters of
    the result into asterisks.
    """
    public = params["services_dir"] + "".join(
        " ".join([item["name"], item["definition"] or "", *(file["path"] for file in item["files"])])
        for item in params["projects"]
    )
    module.no_log_values.clear()
    module.no_log_values.update(secret_values(params["projects"], public))
    module.params["projects"] = [
        {
            **item,
            "env": {key: HIDDEN for key in item["env"]} if item["env"] else item["env"],
            "files": [{**file, "content": HIDDEN} if is_secret(file["mode"]) else file for file in item["files"]],
        }
        for item in params["projects"]
    ]


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(),
        required_if=[("remove_volumes", True, ["backup_dir"])],
        supports_check_mode=True,
    )
    params = dict(module.params)
    hide_secrets(module, params)

    def stack() -> ComposeStack:
        policy = Policy(
            pull=params["pull"],
            wait=params["wait"],
            wait_timeout=params["wait_timeout"],
            parallel=max(1, params["parallel"]),
            adopt=params["adopt"],
            coming_images=tuple(params["coming_images"]) if module.check_mode else (),
            coming_networks=tuple(params["coming_networks"]) if module.check_mode else (),
            remove_volumes=params["remove_volumes"],
            confirm_data_loss=tuple(params["confirm_data_loss"]),
            backup_dir=params["backup_dir"] or "",
        )
        projects = build(params["projects"], params["services_dir"], params["state"])
        refuse_cpus(projects, params["host_cpus"])
        return ComposeStack(projects, policy)

    run_module(module, stack)


if __name__ == "__main__":
    main()

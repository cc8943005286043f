#!/usr/bin/python
# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: retired_stack
short_description: Take a stack of containers out of service, or bring it back
version_added: "0.1.0"
author: [bestviable.planner_memory contributors (@bestviable)]
description:
  - Finds the containers of a stack by Compose project, working directory or name, also when their Compose file is gone
    or broken, when only some of them are left, or when the old C(docker-compose) started them.
  - Archives the resolved configuration as C(NAME-YYYYMMDD.yml), which is what C(docker compose config) says or, where
    there is no such file or the containers run with something else (Compose's hashes tell), what the engine says of the
    containers; a file that was edited since is then kept as C(NAME-YYYYMMDD.file.yml). Beside it C(NAME-YYYYMMDD.json)
    keeps inspections, image digests and memory in use. All have mode 0600, for environments are in them.
  - Then backs up volumes, removes the containers with C(docker compose down), and their networks unless others are in
    them. Volumes and images stay unless asked.
  - A run that was killed is run again and goes on with the archive that it began, also on another day.
  - An archive is never written over, and a file that only has the name of one is refused before anything is stopped.
attributes:
  check_mode:
    support: full
    description: Can run in check mode and return what a run would have returned.
  diff_mode:
    support: full
    description: Shows containers, networks, volumes and archive before and after, never an environment.
requirements:
  - Docker engine 20.10 or newer with its command line, Compose 2.20 or newer for O(state=restored)
  - GNU tar and root for backups of volumes
options:
  name:
    description: Name of the stack, with which its archives begin.
    type: str
    required: true
  state:
    description: Out of service, or back from an archive.
    type: str
    choices: [retired, restored]
    default: retired
  projects:
    description: Compose projects that are wholly the stack's.
    type: list
    elements: str
    default: []
  directory:
    description: Containers whose project stands in this directory are the stack's.
    type: path
  containers:
    description:
      - Containers of these names are the stack's.
      - What else is in the project of such a container is left alone.
    type: list
    elements: str
    default: []
  archive_dir:
    description: Where archives are kept; made when it lacks.
    type: path
    required: true
  date:
    description:
      - Date of the archive as YYYYMMDD.
      - The default is the host's today.
    type: str
  archive:
    description:
      - With O(state=restored), the archive to restore from.
      - The default is the newest.
    type: path
  backup_volumes:
    description:
      - Keeps each volume as C(NAME-YYYYMMDD.volumes/VOLUME.tar.gz) with its checksum.
      - Its containers are stopped first, and the backup is compared with the volume before anything is removed.
      - What was written to a volume after its backup gets a backup of its own, C(VOLUME@2.tar.gz) and so on; none is
        ever written over, and a restore takes the newest whole one.
      - A volume that the engine mounts only while a container uses it, such as one of NFS, is refused before anything
        is stopped; one that is bound to a folder of the host is read there.
    type: bool
    default: true
  remove_volumes:
    description:
      - Removes the volumes that have a backup and that no other container uses.
      - Each is compared with its backup once more right before that.
    type: bool
    default: false
  remove_images:
    description:
      - Removes the images that no other container uses.
      - Refused where no registry has one of them, for nothing could bring it back.
    type: bool
    default: false
  expected_memory_mb:
    description: Memory that the stack is expected to use; less than half of it is a warning.
    type: int
    default: 0
  keep_note:
    description:
      - Leaves the note C(.NAME.retiring), which says that the retirement goes on, for a caller that has more to do and
        removes it as the last step.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Retire Archon
  bestviable.planner_memory.retired_stack:
    name: archon
    projects: [archon]
    containers: [archon-server, archon-ui, archon-mcp]
    archive_dir: /home/david/services/archive
    expected_memory_mb: 809

- name: Bring it back from its newest archive
  bestviable.planner_memory.retired_stack:
    name: archon
    state: restored
    projects: [archon]
    containers: [archon-server, archon-ui, archon-mcp]
    archive_dir: /home/david/services/archive
"""

RETURN = r"""
actions:
  description: What was done, or would be done, in words.
  returned: success
  type: list
  elements: str
  sample: ["docker compose down of archon: remove archon-mcp, archon-server, archon-ui"]
diff:
  description: Containers, networks, volumes and archive before and after.
  returned: success
  type: dict
archive:
  description: Path of the archive, or null where there is neither a stack nor an archive.
  returned: success
  type: str
  sample: /home/david/services/archive/archon-20251201.yml
containers:
  description: The containers that were found, with the names of their environment.
  returned: success
  type: dict
  sample: {"archon-ui": {"image": "archon-ui:1", "status": "running", "env": {"API_KEY": "***"}}}
memory:
  description:
    - Megabytes. C(stack_mb) is what C(docker stats) showed of the stack, C(expected_mb) the expectation.
    - C(available_before_mb) and C(available_after_mb) are the host's, as C(free) shows them, C(freed_mb) is the latter
      less the former, which also what else runs on the host makes larger or smaller; both are null where
      nothing was removed.
  returned: with O(state=retired)
  type: dict
  sample: {"stack_mb": 812, "expected_mb": 809, "available_before_mb": 810, "available_after_mb": 1631, "freed_mb": 821}
"""

import datetime

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose import engine, files
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import run_module
from ansible_collections.bestviable.planner_memory.plugins.module_utils._retire.look import Docker
from ansible_collections.bestviable.planner_memory.plugins.module_utils._retire.model import Wish
from ansible_collections.bestviable.planner_memory.plugins.module_utils._retire.resource import RetiredStack


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["retired", "restored"], "default": "retired"},
            "projects": {"type": "list", "elements": "str", "default": []},
            "directory": {"type": "path"},
            "containers": {"type": "list", "elements": "str", "default": []},
            "archive_dir": {"type": "path", "required": True},
            "date": {"type": "str"},
            "archive": {"type": "path"},
            "backup_volumes": {"type": "bool", "default": True},
            "remove_volumes": {"type": "bool", "default": False},
            "remove_images": {"type": "bool", "default": False},
            "expected_memory_mb": {"type": "int", "default": 0},
            "keep_note": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )

    def build() -> RetiredStack:
        given = module.params
        wish = Wish(
            name=given["name"],
            state=given["state"],
            archive_dir=given["archive_dir"].rstrip("/"),
            date=datetime.date.today().strftime("%Y%m%d") if given["date"] is None else given["date"],
            projects=tuple(given["projects"]),
            directory=(given["directory"] or "").rstrip("/"),
            containers=tuple(given["containers"]),
            backup_volumes=given["backup_volumes"],
            remove_volumes=given["remove_volumes"],
            remove_images=given["remove_images"],
            expected_memory_mb=given["expected_memory_mb"],
            keep_note=given["keep_note"],
            archive=given["archive"] or "",
        )
        return RetiredStack(wish, Docker(engine.run_command), files)

    run_module(module, build)


if __name__ == "__main__":
    main()

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration that an archive holds: what the stack's file says where that is what runs, else what runs."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Mapping

from ansible_collections.bestviable.planner_memory.plugins.module_utils._retire import look as reading
from ansible_collections.bestviable.planner_memory.plugins.module_utils._retire.definition import definition
from ansible_collections.bestviable.planner_memory.plugins.module_utils._retire.model import (
    Live,
    Wish,
    label,
    service_of,
)


@dataclass(frozen=True)
class Configuration:
    """:param directory: what relative paths in it mean
    :param source: ``compose`` or ``containers``
    :param hashes: by service, the hash that the containers of a restore will have
    :param changed: services that do not run with what their file says now
    :param of_file: what the file says, where that is not ``text``
    """

    text: str
    directory: str
    source: str
    hashes: Mapping[str, str] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    of_file: str = ""


def configuration(docker: reading.Docker, wish: Wish, live: Live) -> Configuration:
    directory, files = reading.source_of(live, wish)
    project = reading.project_of(live, wish)
    changed: tuple[str, ...] = ()
    of_file = ""
    if files and live.compose:
        options = [word for name in files for word in ("-f", name)]
        answer = docker.ask("compose", "-p", project, "--project-directory", directory, *options, "config")
        if answer.rc == 0:
            hashes = _hashes(docker, answer.out, directory)
            changed = _changed(live, hashes)
            if {service_of(one) for one in live.containers} <= set(hashes) and not changed:
                return Configuration(answer.out, directory, "compose", hashes)
            of_file = answer.out
    images = {one["Id"]: one for one in docker.inspect("image", sorted({one["Image"] for one in live.containers}))}
    networks = {one["Name"]: one for one in docker.inspect("network", sorted(live.networks))}
    made = definition(project, live.containers, images, live.networks, networks)
    text = json.dumps(made, indent=2) + "\n"
    text = (_resolved(docker, text, directory) if live.compose else "") or text
    hashes = _hashes(docker, text, directory) if live.compose else {}
    return Configuration(text, directory, "containers", hashes, changed, of_file)


def _changed(live: Live, hashes: Mapping[str, str]) -> tuple[str, ...]:
    """What was started and then edited in the file, or is not in it any more."""
    found = set()
    for one in live.containers:
        if hashes and label(one, "oneoff") != "True" and hashes.get(service_of(one)) != label(one, "config-hash"):
            found.add(service_of(one))
    return tuple(sorted(found))


def _resolved(docker: reading.Docker, text: str, directory: str, *more: str) -> str:
    """What Compose makes of a text, which has secrets: it is in no file, and is gone when this process is."""
    handle = os.memfd_create("configuration")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", closefd=False) as stream:
            stream.write(text)
        place = f"/proc/{os.getpid()}/fd/{handle}"
        answer = docker.ask("compose", "--project-directory", directory or "/", "-f", place, "config", *more)
        return answer.out if answer.rc == 0 else ""
    finally:
        os.close(handle)


def _hashes(docker: reading.Docker, text: str, directory: str) -> dict[str, str]:
    rows = (row.split() for row in _resolved(docker, text, directory, "--hash", "*").splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 2}

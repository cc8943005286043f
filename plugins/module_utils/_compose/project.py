# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A project as it is asked for, and everything that can be wrong with the asking."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose import model
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.files import (
    COMPOSE_FILE,
    File,
    env_text,
    env_values,
    is_secret,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._docker import RECORD_FILE
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError

MODE = re.compile(r"0?[0-7]{3}")


def file_part(path: str) -> str:
    return f"its file {path}"


@dataclass(frozen=True)
class Project:
    name: str
    state: str
    directory: Path
    files: tuple[File, ...]
    definition: Optional[model.Definition]
    secrets: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def services(self) -> Mapping[str, model.Service]:
        return self.definition.services if self.definition else {}

    @property
    def external_networks(self) -> tuple[str, ...]:
        return self.definition.external_networks if self.definition else ()

    def file(self, path: str) -> File:
        return next(one for one in self.files if one.path == path)

    def parts(self, service: model.Service) -> dict[str, str]:
        """What a container of this service is made from; it is made anew when one of these changes."""
        parts = {"its definition": service.digest}
        for one in self.files:
            if one.env is not None and one.path in service.env_files:
                parts["its environment"] = one.sha
            elif one.path != COMPOSE_FILE and (model.sees(service, one.path) or one.path in service.env_files):
                parts[file_part(one.path)] = one.sha
        return parts

    def shas(self) -> dict[str, str]:
        return {one.path: one.sha for one in self.files}


@dataclass(frozen=True)
class Record:
    """What the last run brought up: kept beside the files, so that a run with nothing to do asks Compose nothing.

    ``writing`` has the checksums of files that a run wrote, or was about to, which did not end well.
    """

    files: Mapping[str, str]
    services: Mapping[str, Mapping[str, Any]]
    writing: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        unfinished = {"writing": self.writing} if self.writing else {}
        noted = {"files": self.files, "services": self.services, **unfinished}
        return json.dumps(noted, indent=1, sort_keys=True) + "\n"

    @classmethod
    def parse(cls, text: str) -> Optional[Record]:
        try:
            data = json.loads(text)
            return cls(
                files=dict(data["files"]),
                services={k: dict(v) for k, v in data["services"].items()},
                writing=dict(data.get("writing") or {}),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


def without_file(noted: Mapping[str, Any], path: str) -> dict[str, Any]:
    """What a record notes of a service, as if its container had never seen this file."""
    return {
        **noted,
        "parts": {name: one for name, one in (noted.get("parts") or {}).items() if name != file_part(path)},
    }


def build(items: Sequence[Mapping[str, Any]], services_dir: str, state: str) -> tuple[Project, ...]:
    """Judge the whole list before anything is touched."""
    if not Path(services_dir).is_absolute():
        raise StackError(f"services_dir is '{services_dir}'; give an absolute path")
    projects = tuple(_project(item, Path(services_dir), state) for item in items)
    _refuse_twice("project", [one.name for one in projects])
    _refuse_twice(
        "container_name", [str(s.container) for one in projects for s in one.services.values() if s.container]
    )
    _refuse_cycles(projects)
    return projects


def refuse_cpus(projects: Sequence[Project], host_cpus: Optional[int]) -> None:
    """The engine would refuse them too, but only when the files are written and the former container may be gone."""
    for project in projects:
        for service in project.services.values() if project.state == "present" and host_cpus else ():
            if (service.cpus or 0) > host_cpus:
                raise StackError(
                    f"service '{service.name}' of project '{project.name}' is given {service.cpus:g} CPUs, but the"
                    f" Docker engine's host has {host_cpus}; write {host_cpus} or less as its cpus"
                )


def _refuse_twice(what: str, names: Sequence[str]) -> None:
    for name in sorted(set(names)):
        if names.count(name) > 1:
            raise StackError(f"{what} '{name}' is given twice; every {what} can be there once")


def _refuse_cycles(projects: Sequence[Project]) -> None:
    waiting = {one.name: set(one.after) for one in projects}
    waiting = {name: {dep for dep in deps if dep in waiting} for name, deps in waiting.items()}
    while waiting:
        free = {name for name, deps in waiting.items() if not deps}
        if not free:
            raise StackError(f"the projects {', '.join(sorted(waiting))} wait for each other; remove one 'after'")
        waiting = {name: deps - free for name, deps in waiting.items() if name not in free}


def _project(item: Mapping[str, Any], services_dir: Path, default_state: str) -> Project:
    name, state = str(item["name"]), item.get("state") or default_state
    if not model.PROJECT_NAME.fullmatch(name):
        raise StackError(f"the project name '{name}' is none for Compose; use small letters, digits, '-' and '_'")
    text = item.get("definition")
    if text is None and state != "absent":
        raise StackError(f"project '{name}' has no definition; give the text of its {COMPOSE_FILE}")
    env = env_values(item["env"], name) if item.get("env") is not None else None
    files = [] if text is None else [File(COMPOSE_FILE, text if text.endswith("\n") else text + "\n")]
    if env is not None:
        files.append(File(f"{name}.env", env_text(env), "0600", env))
    files += [_extra(name, extra) for extra in item.get("files") or []]
    _refuse_twice(f"file of project '{name}'", [one.path for one in files])
    return Project(
        name=name,
        state=state,
        directory=services_dir / name,
        files=tuple(files),
        definition=None if text is None else model.read(name, text, item.get("model")),
        secrets=tuple(sorted({*(env or {}).values(), *_secret_texts(item)}, key=len, reverse=True)),
        after=tuple(item.get("after") or ()),
    )


def _extra(project: str, item: Mapping[str, Any]) -> File:
    path, mode = str(item["path"]), str(item.get("mode") or "0644")
    clean = Path(path)
    if clean.is_absolute() or ".." in clean.parts or path in ("", ".") or clean.name == RECORD_FILE:
        raise StackError(f"file '{path}' of project '{project}' is outside its directory; give a path below it")
    if not MODE.fullmatch(mode):
        raise StackError(f"mode '{mode}' of file '{path}' of project '{project}' is none; write it like \"0644\"")
    owner = item.get("owner")
    if owner is not None and int(owner) < 0:
        raise StackError(
            f"owner {owner} of file '{path}' of project '{project}' is no user's number; write one from 0 on"
        )
    return File(str(clean), str(item["content"]), mode.zfill(4), owner=owner)


def _secret_texts(item: Mapping[str, Any]) -> set[str]:
    """Values of the environment, and files of one line that others cannot read: passwords, keys, tokens."""
    values = {str(value) for value in (item.get("env") or {}).values() if value is not None}
    files = [one for one in item.get("files") or [] if is_secret(str(one.get("mode") or "0644"))]
    return values | {text for text in (str(one["content"]).strip() for one in files) if "\n" not in text}


def secret_values(items: Sequence[Mapping[str, Any]], public: str) -> set[str]:
    """Values that must appear nowhere in a result.

    A value that the public part of the request contains anyway (a user's name that is also an image's name) is no
    secret, and masking it would make every message unreadable.
    """
    values = {value for item in items for value in _secret_texts(item)}
    return {value for value in values if len(value) >= 6 and value not in public}

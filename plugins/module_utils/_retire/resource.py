# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resource of module retired_stack: what is written and removed, step by step."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import Any, Mapping, Optional, Protocol

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import (
    ReadBackError,
    StackError,
    masked,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation, Plan
from ansible_collections.bestviable.planner_memory.plugins.module_utils._retire import look as reading
from ansible_collections.bestviable.planner_memory.plugins.module_utils._retire import plan as pure
from ansible_collections.bestviable.planner_memory.plugins.module_utils._retire.configuration import (
    Configuration,
    configuration,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._retire.model import (
    Live,
    Wish,
    check,
    human,
    megabytes,
    name_of,
    secrets_in,
    shown,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._retire.volumes import (
    Backups,
    elsewhere,
    folder_of,
)

CHANGE_SECONDS = 300.0
PULL_SECONDS = 1800.0
RESERVE = 16 * 2**20


class Writer(Protocol):
    """Puts whole files in place, and removes them."""

    def write(self, path: Path, text: str, mode: str, *, new: bool = False) -> bool: ...

    def remove(self, path: Path) -> None: ...


class RetiredStack:
    """:param writer: the edge to files, :param docker: the edge to the engine"""

    def __init__(self, wish: Wish, docker: reading.Docker, writer: Writer) -> None:
        check(wish)
        self._wish = wish
        self._docker = docker
        self._writer = writer
        self._live: Optional[Live] = None
        self._seen: list[Mapping[str, Any]] = []
        self._memory: dict[str, Any] = {}
        self._noted = False
        self._volumes: set[str] = set()
        self._stopped = ""
        self._made: Optional[Configuration] = None

    def observe(self) -> dict[str, Any]:
        live = reading.look(self._docker, self._wish, self._volumes)
        self._volumes |= set(live.volumes)
        if self._live is None:
            self._seen = list(live.containers)
            self._memory = {
                "available_before_mb": megabytes(reading.available_memory()),
                "available_after_mb": None,
                "freed_mb": None,
            }
        self._live = live
        return self._view(live)

    def _view(self, live: Live) -> dict[str, Any]:
        if self._wish.state == "restored":
            return pure.restored_view(live, live.archive)
        return pure.retired_view(live)

    def plan(self, current: dict[str, Any]) -> Plan:
        live = self._now()
        if self._wish.state == "restored":
            plan = pure.plan_restored(live, self._wish, current)
            self._check_networks(plan)
            for step in plan.operations:
                if step.verb == "restore_volume":
                    self._backups().verified(step.target)
            return plan
        plan = pure.plan_retired(live, self._wish, current)
        told = live.archive.sidecar.get("available_before") if live.archive.complete else None
        if told:
            self._memory["available_before_mb"] = megabytes(told)
        self._memory["stack_mb"] = megabytes(pure.memory_before(live))
        self._memory["expected_mb"] = self._wish.expected_memory_mb
        if plan.changed:
            self._check_folder(pure.space_needed(live, plan))
        if any(step.verb == "archive" for step in plan.operations) and self._configuration().changed:
            services = ", ".join(self._configuration().changed)
            told = (
                f"the Compose file of {self._wish.name} does not say any more what runs as {services}; the archive "
                f"holds what runs, and {live.archive.stem}.file.yml what the file says"
            )
            return dataclasses.replace(plan, warnings=(*plan.warnings, told))
        return plan

    def _now(self) -> Live:
        if self._live is None:
            raise StackError("the engine has not been asked yet; please report this as a defect")
        return self._live

    def _check_folder(self, needed: int) -> None:
        folder = reading.existing_parent(self._wish.archive_dir)
        if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
            raise StackError(
                f"archive_dir is {self._wish.archive_dir}, and {folder} cannot be written to; nothing was stopped, "
                "make it a folder that this user may write, or name another one"
            )
        free = shutil.disk_usage(folder).free
        if needed and needed + RESERVE > free:
            raise StackError(
                f"backing up the volumes takes up to {human(needed)}, and {folder} has {human(free)}; nothing was "
                "stopped, make room, name another archive_dir or set backup_volumes to false"
            )

    def _check_networks(self, plan: Plan) -> None:
        if not any(step.verb == "up" for step in plan.operations):
            return
        wanted = list(self._now().archive.sidecar.get("external_networks") or [])
        there = {one["Name"] for one in self._docker.inspect("network", wanted)}
        lacking = [name for name in wanted if name not in there]
        if lacking:
            raise StackError(
                f"network {', '.join(lacking)}, which {self._wish.name} joined and others made, is not there; "
                "make it, then run again"
            )

    def apply(self, operation: Operation) -> None:
        if not self._noted and operation.verb != "finish" and self._wish.state == "retired":
            self._writer.write(reading.note_path(self._wish), f"{self._now().archive.stem[-8:]}\n", "0600")
            self._noted = True
        try:
            getattr(self, f"_{operation.verb}")(operation)
        except StackError as error:
            secrets = secrets_in([*self._seen, *(self._now().archive.sidecar.get("containers") or [])])
            left = f"; {self._stopped} is left stopped, docker start brings it back" if self._stopped else ""
            raise StackError(masked(f"{error}{left}", secrets), **error.details) from None

    # Into retirement

    def _archive(self, operation: Operation) -> None:
        live = self._now()
        images = self._images()
        made = self._configuration()
        sidecar = {
            "name": self._wish.name,
            "project": reading.project_of(live, self._wish),
            "projects": list(live.projects),
            "directory": made.directory,
            "source": made.source,
            "hashes": dict(made.hashes),
            "changed": list(made.changed),
            "containers": list(live.containers),
            "images": {
                key: {"tags": one.get("RepoTags"), "digests": one.get("RepoDigests")} for key, one in images.items()
            },
            "volumes": {name: dict(one) for name, one in live.volumes.items()},
            "networks": dict(live.networks),
            "external_networks": self._external(live),
            "memory": dict(live.memory),
            "available_before": reading.available_memory(),
        }
        if made.of_file:
            self._writer.write(Path(f"{live.archive.stem}.file.yml"), made.of_file, "0600")
        said = json.dumps(sidecar, indent=2, sort_keys=True) + "\n"
        self._writer.write(Path(f"{live.archive.stem}.json"), said, "0600")
        # Last, for an archive is there when this file is.
        if not self._writer.write(Path(operation.target), made.text, "0600", new=True):
            os.chmod(operation.target, 0o600)

    def _configuration(self) -> Configuration:
        if self._made is None:
            self._made = configuration(self._docker, self._wish, self._now())
        return self._made

    def _external(self, live: Live) -> list[str]:
        joined = {name for one in live.containers for name in (one.get("NetworkSettings") or {}).get("Networks") or {}}
        return sorted(joined - set(live.networks) - {"bridge", "default", "host", "none"})

    def _images(self) -> dict[str, Mapping[str, Any]]:
        ids = sorted({one["Image"] for one in self._now().containers})
        return {one["Id"]: one for one in self._docker.inspect("image", ids)}

    def _mode(self, operation: Operation) -> None:
        for name in (operation.target, f"{operation.target[: -len('.yml')]}.json"):
            os.chmod(name, 0o600)

    def _stop(self, operation: Operation) -> None:
        self._docker.must(f"stopping {operation.target}", "stop", *operation.args["ids"], timeout=CHANGE_SECONDS)
        self._stopped = operation.target

    def _backup(self, operation: Operation) -> None:
        self._backups().make(operation.target, operation.args["source"])

    def _backups(self) -> Backups:
        return Backups(self._docker.run, Path(f"{self._now().archive.stem}.volumes"), self._writer.write)

    def _down(self, operation: Operation) -> None:
        what = f"docker compose down of {operation.target}"
        self._docker.must(what, "compose", "-p", operation.target, "down", timeout=CHANGE_SECONDS)
        self._stopped = ""

    def _remove(self, operation: Operation) -> None:
        self._docker.ask("stop", operation.args["id"], timeout=CHANGE_SECONDS)
        self._gone(f"removing {operation.target}", "rm", "--force", operation.args["id"])
        self._stopped = ", ".join(name for name in self._stopped.split(", ") if name not in ("", operation.target))

    def _network(self, operation: Operation) -> None:
        self._gone(f"removing network {operation.target}", "network", "rm", operation.target)

    def _gone(self, what: str, *args: str) -> None:
        answer = self._docker.ask(*args, timeout=CHANGE_SECONDS)
        if answer.rc != 0 and not any(word in answer.err.lower() for word in ("no such", "not found")):
            raise StackError(f"{what} failed: {' '.join(answer.err.split())}")

    def _remove_volume(self, operation: Operation) -> None:
        """Looks once more: its containers are gone, and somebody may have written before they went."""
        name, source = operation.target, operation.args["source"]
        why = self._backups().stale(name, source)
        if why and not self._wish.backup_volumes:
            raise StackError(f"volume {name} holds what its backup does not: {why}; set backup_volumes to true too")
        if why:
            self._backups().make(name, source)
        self._backups().verified(name)
        self._gone(f"removing volume {name}", "volume", "rm", name)

    def _remove_image(self, operation: Operation) -> None:
        self._gone(f"removing image {operation.target}", "image", "rm", operation.target)

    def _finish(self, _operation: Operation) -> None:
        self._writer.remove(reading.note_path(self._wish))

    # And back

    def _restore_volume(self, operation: Operation) -> None:
        name, spec = operation.target, operation.args["spec"]
        backups = self._backups()
        file = backups.verified(name)
        mark = backups.folder / f"{name}.restoring"
        half = mark.exists()
        self._writer.write(mark, "", "0600")
        self._gone(f"removing half of volume {name}", "volume", "rm", name)
        words = [word for key, value in (spec.get("Labels") or {}).items() for word in ("--label", f"{key}={value}")]
        words += [word for key, value in (spec.get("Options") or {}).items() for word in ("--opt", f"{key}={value}")]
        self._docker.must(f"making volume {name}", "volume", "create", *words, name)
        place = folder_of(self._docker.inspect("volume", [name])[0])
        if elsewhere(spec):
            Path(place).mkdir(parents=True, exist_ok=True)
        # Files that stayed when the volume went are newer than the backup.
        if half or not elsewhere(spec) or not os.listdir(place):
            backups.extract(name, file, place)
        self._writer.remove(mark)

    def _up(self, operation: Operation) -> None:
        archive = self._now().archive
        if not self._now().compose:
            raise StackError("docker compose is not installed; role docker installs it")
        way = ["-p", operation.target, "--project-directory", archive.sidecar["directory"] or "/", "-f", archive.path]
        what = f"docker compose up of {operation.target}"
        self._docker.must(what, "compose", *way, "up", "--detach", "--no-build", timeout=PULL_SECONDS)

    def settle(self, plan: Plan) -> dict[str, Any]:
        state = self.observe()
        if self._wish.state == "retired":
            still = sorted(set(reading.usage(self._docker)) & {name_of(one) for one in self._seen})
            if still:
                raise ReadBackError(f"docker stats still shows {', '.join(still)}")
            after = megabytes(reading.available_memory())
            self._memory["available_after_mb"] = after
            self._memory["freed_mb"] = after - self._memory["available_before_mb"]
        return state

    def result(self, _state: Any) -> dict[str, Any]:
        live = self._now()
        found: dict[str, Any] = {
            "archive": live.archive.path if live.archive.complete or self._seen or live.note else None,
            "containers": {name_of(one): shown(one) for one in self._seen},
        }
        return {**found, "memory": self._memory} if self._wish.state == "retired" else found

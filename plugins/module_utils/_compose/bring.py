# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done to one project, and what is told when it does not come up."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Mapping, Optional, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose import files as disk
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.engine import (
    CHANGE_SECONDS,
    LOOK_SECONDS,
    PULL_SECONDS,
    Container,
    Engine,
    Snapshot,
    last_words,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.plan import extra_key, key_of, status
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.project import Project
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError, masked
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation

if TYPE_CHECKING:
    from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.stack import Policy

TOLD_LINES = 5


@dataclass(frozen=True)
class Failure:
    project: str
    what: str


class Bringer:
    def __init__(self, engine: Engine, policy: Policy, sleep: Callable[[float], None] = time.sleep) -> None:
        self._engine = engine
        self._policy = policy
        self._sleep = sleep
        self._patience = policy.wait_timeout + CHANGE_SECONDS
        self.backups: list[str] = []

    def bring(self, project: Project, steps: Sequence[Operation], snapshot: Snapshot) -> Optional[Failure]:
        """Carry out the steps of one project; a failure is told together with those of the others."""
        own = [one for one in snapshot.containers if one.project == project.name and not one.one_off]
        targets = {verb: [step.target for step in steps if step.verb == verb] for verb in {step.verb for step in steps}}
        try:
            if project.state == "absent":
                self._take_away(project, targets, own)
            elif project.state == "stopped":
                if "stop" in targets:
                    self._change(f"stopping {project.name}", "compose", "-p", project.name, "stop")
            else:
                self._bring_up(project, targets, own)
            if project.state != "absent":
                for path in targets.get("remove_file", ()):
                    disk.remove(project.directory / path)
        except StackError as error:
            return Failure(project.name, str(error))
        return None

    def _change(self, what: str, *args: str) -> str:
        return self._engine.must(what, *args, timeout=self._patience)

    def _bring_up(self, project: Project, targets: Mapping[str, list[str]], own: Sequence[Container]) -> None:
        surplus = [one.id for one in own if extra_key(project, one) in targets.get("remove", ())]
        foreign = list(targets.get("adopt", ()))
        if surplus or foreign:
            self._change(f"removing {' and '.join(surplus + foreign)}", "rm", "-f", *surplus, *foreign)
        keys = {
            one.id: key_of(project.services[one.service], one.number) for one in own if one.service in project.services
        }
        paused = [one.id for one in own if keys.get(one.id) in targets.get("unpause", ())]
        if paused:
            self._change(f"unpausing {project.name}", "unpause", *paused)
            self._wait_for_health(paused)
        anew = sorted({one.service for one in own if keys.get(one.id) in targets.get("recreate", ())})
        if anew and len(anew) < len(project.services):
            self._up(project, "--force-recreate", "--no-deps", services=anew)
        if anew or any(verb in targets for verb in ("create", "start", "remove", "adopt")):
            whole = bool(anew) and len(anew) == len(project.services)
            wait = ["--wait", "--wait-timeout", str(self._policy.wait_timeout)] if self._policy.wait else []
            self._up(project, "--force-recreate" if whole else "--no-recreate", "--remove-orphans", *wait)

    def _wait_for_health(self, containers: Sequence[str]) -> None:
        """Probes fail while a container is paused; Compose would give up at once on the verdict of that time."""
        deadline = time.monotonic() + (self._policy.wait_timeout if self._policy.wait else 0)
        form = "{{if .State.Health}}{{.State.Health.Status}}{{end}}"
        while time.monotonic() < deadline:
            verdicts = self._engine.must("asking for health", "container", "inspect", "-f", form, *containers).split()
            if set(verdicts) <= {"healthy"}:
                return
            self._sleep(0.5)

    def _up(self, project: Project, *options: str, services: Sequence[str] = ()) -> None:
        answer = self._engine.compose(
            project.name, project.directory, "up", "-d", "--pull", self._policy.pull, *options, *services,
            timeout=self._patience + PULL_SECONDS,
        )  # fmt: skip
        if answer.rc != 0:
            raise StackError(f"did not come up: {last_words(answer.err)}")

    def _take_away(self, project: Project, targets: Mapping[str, list[str]], own: Sequence[Container]) -> None:
        if "down" in targets:
            self._change(f"removing {project.name}", "compose", "-p", project.name, "down", "--remove-orphans")
        for volume in targets.get("remove_volume", ()):
            self.backups.append(self._back_up(project, volume, own))
            self._change(f"removing volume {volume}", "volume", "rm", volume)
        paths = list(targets.get("remove_file", ()))
        for path in paths:
            disk.remove(project.directory / path)
        disk.remove_empty_directories(project.directory, paths)

    def _back_up(self, project: Project, volume: str, own: Sequence[Container]) -> str:
        """A tar of a volume, taken through the engine: works for remote engines, and needs no tool in the image."""
        image = own[0].image_id if own else self._engine.must("listing the images", "image", "ls", "-q").split("\n")[0]
        if not image:
            raise StackError(f"volume {volume} cannot be backed up because the host has no image to mount it with")
        target = Path(self._policy.backup_dir) / f"{volume}-{time.strftime('%Y%m%dT%H%M%S')}.tar"
        mount = ("create", "-v", f"{volume}:/volume:ro", "--network", "none", "--entrypoint", "none", image)
        holder = self._change(f"mounting volume {volume}", *mount).strip()
        try:
            self._engine.copy_out(holder, "/volume", target)
        finally:
            self._engine.docker("rm", "-f", "-v", holder, timeout=LOOK_SECONDS)  # with the volumes its image asks for
        return str(target)

    def error(self, failures: Sequence[Failure], snapshot: Snapshot, projects: Mapping[str, Project]) -> StackError:
        """One sentence a project, with what its containers said last; secrets never."""
        told, details = [], {}
        for failure in failures:
            project = projects[failure.project]
            sick = self._sick(project, snapshot)
            containers = {}
            words = [f"project '{project.name}' {failure.what}"]
            for one in sick:
                log = [self.masked(line, project) for line in self._engine.logs(one.id)]
                health = self.masked(one.health_output, project) if one.health != "healthy" else ""
                containers[one.name] = {"status": status(one), "health": health, "log": log}
                if health:
                    words.append(f"the health check of {one.name} said: {' '.join(health.split())}")
                if log:
                    words.append(f"the last lines of {one.name}: {' | '.join(log[-TOLD_LINES:])}")
            told.append(self.masked("; ".join(words), project))
            details[project.name] = {"error": self.masked(failure.what, project), "containers": containers}
        return StackError(". ".join(told), failed_projects=details)

    @staticmethod
    def _sick(project: Project, snapshot: Snapshot) -> list[Container]:
        own = [one for one in snapshot.containers if one.project == project.name and not one.one_off]
        return [
            one for one in own
            if status(one, project.services.get(one.service)) not in ("running", "once") or one.health == "starting"
        ]  # fmt: skip

    @staticmethod
    def masked(text: str, project: Project) -> str:
        return masked(text, [value for value in project.secrets if len(value) >= 6])

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resource of module compose_stack: the edges to disk and engine around the pure plan."""

from __future__ import annotations

import os
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Mapping, Optional, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose import files as disk
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose import plan as pure
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.bring import Bringer, Failure
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.engine import (
    Engine,
    Snapshot,
    image_name,
    last_words,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.project import (
    Project,
    Record,
    without_file,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.resting import resting
from ansible_collections.bestviable.planner_memory.plugins.module_utils._docker import RECORD_FILE
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError, Unreachable
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation, Plan


@dataclass(frozen=True)
class Policy:
    pull: str = "missing"
    wait: bool = True
    wait_timeout: int = 120
    parallel: int = 4
    adopt: bool = False
    remove_volumes: bool = False
    confirm_data_loss: tuple[str, ...] = ()
    backup_dir: str = ""
    coming_images: tuple[str, ...] = ()
    coming_networks: tuple[str, ...] = ()


class ComposeStack:
    def __init__(
        self, projects: Sequence[Project], policy: Policy, engine: Optional[Engine] = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._projects = {one.name: one for one in projects}
        self._policy = policy
        self._engine = engine or Engine()
        self._sleep = sleep
        self._snapshot = Snapshot()
        self._records: dict[str, Optional[Record]] = {}
        self._edited: dict[str, set[str]] = {}
        self._jobs: dict[str, list[Operation]] = {}
        self._left_alone: list[str] = []
        self._resting: dict[str, bool] = {}
        self._changed: set[str] = set()
        self._guarded = False
        self._can_validate = True
        self._bringer = Bringer(self._engine, policy, sleep)

    def observe(self) -> dict[str, Any]:
        seen = self._look()
        images = {image_name(one): "to come" for one in self._policy.coming_images}
        networks = {one: "to come" for one in self._policy.coming_networks}
        self._snapshot = replace(seen, images={**seen.images, **images}, networks={**networks, **seen.networks})
        found = {name: self._files(project) for name, project in self._projects.items()}
        self._edited = {
            name: pure.edited(project, found[name], self._records[name]) for name, project in self._projects.items()
        }
        self._validate([one for one in self._projects.values() if self._differs(one, found[one.name])])
        return self._view(found)

    def plan(self, current: dict[str, Any]) -> Plan:
        after, steps, warnings = {}, [], []
        for name, project in self._projects.items():
            pure.needs_confirmation(project, current[name], self._policy.confirm_data_loss)
            after[name] = pure.wanted(project, current[name])
            steps += pure.operations(project, current[name], after[name], self._edited[name], self._policy.adopt)
        self._resting = resting(self._projects, current, after, self._snapshot.containers)
        self._changed = {step.args["project"] for step in steps}
        for name in self._left_alone:
            warnings.append(f"project '{name}' was not made by this module and is left alone; adopt: true removes it")
        first = [step for step in steps if step.verb == "write"]
        ordered = tuple(first + [step for step in steps if step.verb != "write"])
        return Plan(current, after, ordered, (*warnings, *(self._obstacles() if ordered else ())))

    def apply(self, operation: Operation) -> None:
        if not self._guarded:
            for obstacle in self._obstacles(real=True):
                raise StackError(obstacle)
            self._guarded = True
        project = self._projects[operation.args["project"]]
        self._jobs.setdefault(project.name, []).append(operation)
        if operation.verb == "write":
            file = project.file(operation.target)
            self._note(project, file)
            disk.write(project.directory / file.path, file.text, file.mode, owner=file.owner)

    def _note(self, project: Project, file: disk.File) -> None:
        """A run that ends here must leave a trace: what it wrote, and that containers still see the file before it."""
        record = self._records[project.name] or Record({}, {})
        services = {name: without_file(service, file.path) for name, service in record.services.items()}
        self._records[project.name] = noted = Record(
            files=record.files,
            services=services if project.state == "present" else record.services,
            writing={**record.writing, file.path: file.sha},
        )
        disk.write(project.directory / RECORD_FILE, noted.text(), "0600")

    def settle(self, plan: Plan) -> dict[str, Any]:
        failures = self._run_jobs()
        self._snapshot = self._look()
        for name in self._jobs:
            project = self._projects[name]
            if project.state == "present" and name not in failures:
                disk.write(project.directory / RECORD_FILE, self._record(project).text(), "0600")
        state = self._view({name: self._files(project) for name, project in self._projects.items()})
        for name in self._jobs:
            fallen = self._fallen(name, plan.after[name], state[name])
            if fallen and name not in failures:
                failures[name] = Failure(name, f"came up, but {'; '.join(fallen)}")
        if failures:
            error = self._bringer.error(list(failures.values()), self._snapshot, self._projects)
            error.details["actions_done"] = [one.words for one in plan.operations if one.verb == "write"]
            raise error
        return state

    def result(self, state: Any) -> dict[str, Any]:
        projects = {
            name: {
                "changed": name in self._changed,
                "resting": self._resting[name],
                "containers": {
                    one.name: {
                        "id": one.id, "image": one.image, "status": one.status, "health": one.health,
                        "restart_count": one.restart_count, "started_at": one.started_at,
                    }
                    for one in self._snapshot.containers if one.project == name and not one.one_off
                },
            }
            for name in self._projects
        }  # fmt: skip
        return {"projects": projects, "backups": sorted(self._bringer.backups)}

    def _look(self) -> Snapshot:
        """One look at the engine; containers whose health is not decided yet are waited for."""
        services = [service for one in self._projects.values() for service in one.services.values()]
        deadline = time.monotonic() + self._policy.wait_timeout
        while True:
            snapshot = self._engine.snapshot(
                set(self._projects),
                {service.container for service in services if service.container},
                {service.image for service in services},
                {name for service in services for name in service.networks or ()}
                | {name for one in self._projects.values() for name in one.external_networks},
                volumes=any(one.state == "absent" for one in self._projects.values()),
            )
            undecided = self._policy.wait and any(
                one.health == "starting" and one.status == "running" and one.project in self._projects
                and self._projects[one.project].state == "present"
                for one in snapshot.containers
            )  # fmt: skip
            if not undecided or time.monotonic() > deadline:
                return snapshot
            self._sleep(0.5)

    def _files(self, project: Project) -> dict[str, disk.Found]:
        note = disk.look(project.directory / RECORD_FILE)
        record = Record.parse(note.text) if note else None
        self._records[project.name] = record
        paths = {one.path for one in project.files} | set((*record.files, *record.writing) if record else ())
        if project.state == "absent":
            paths |= {disk.COMPOSE_FILE, f"{project.name}.env", RECORD_FILE}
        looked = {path: disk.look(project.directory / path) for path in sorted(paths)}
        return {path: file for path, file in looked.items() if file is not None}

    def _differs(self, project: Project, found: Mapping[str, disk.Found]) -> bool:
        return project.state != "absent" and any(
            one.path not in found or found[one.path].sha != one.sha for one in project.files
        )

    def _view(self, found: Mapping[str, Mapping[str, disk.Found]]) -> dict[str, Any]:
        views = {
            name: pure.view(
                project, found[name], self._records[name], self._snapshot,
                self._remade(project, found[name]), self._policy.remove_volumes,
            )
            for name, project in self._projects.items()
        }  # fmt: skip
        self._left_alone = [
            name for name, project in self._projects.items()
            if project.state == "absent" and self._records[name] is None and not self._policy.adopt
            and any(views[name].values()) and name not in self._jobs
        ]  # fmt: skip
        return {**views, **{name: {key: type(v)() for key, v in views[name].items()} for name in self._left_alone}}

    def _remade(self, project: Project, found: Mapping[str, disk.Found]) -> set[str]:
        """Without a note of the last run, Compose says which containers do not fit their definition."""
        names = {one.name for one in self._snapshot.containers if one.project == project.name}
        record = self._records[project.name]
        if (record and record.services) or not names or project.state != "present":
            return set()
        if self._differs(project, found):
            return names
        answer = self._engine.compose(project.name, project.directory, "--dry-run", "up", "-d", "--pull", "never")
        lines = (answer.out + answer.err).splitlines()
        kept = {name for name in names if any(line.split()[-2:] == [name, "Running"] for line in lines)}
        remade = {name for name in names if any(line.split()[-2:] == [name, "Recreate"] for line in lines)}
        return remade if answer.rc == 0 else names - kept

    def _validate(self, projects: Sequence[Project]) -> None:
        """Let Compose judge new texts in a directory of their own, before any working file is replaced."""
        if not projects:
            return
        self._can_validate = bool(self._engine.compose_version())
        if self._can_validate:
            with ThreadPoolExecutor(self._policy.parallel) as pool:
                list(pool.map(self._validate_one, projects))

    def _validate_one(self, project: Project) -> None:
        with tempfile.TemporaryDirectory(prefix="compose_stack.") as name:
            trial = Path(name)
            ours = {Path(one.path).parts[0] for one in project.files}
            if project.directory.is_dir():
                for entry in project.directory.iterdir():
                    if entry.name not in ours:
                        os.symlink(entry, trial / entry.name)
            for one in project.files:
                disk.write(trial / one.path, one.text, one.mode)
            answer = self._engine.compose(project.name, trial, "config", "-q")
            if answer.rc != 0:
                said = last_words(answer.err).replace(name, str(project.directory))
                raise StackError(
                    f"docker compose refuses the definition of project '{project.name}':"
                    f" {self._bringer.masked(said, project)}"
                )

    def _obstacles(self, real: bool = False) -> list[str]:
        """What a real run would stumble over; in check mode earlier tasks may not have done their part yet."""
        if self._snapshot.engine:
            told = f"the Docker engine does not answer ({self._snapshot.engine}); role docker installs and starts it"
            if real:
                raise Unreachable(told)
            return [told]
        obstacles = []
        if real and not self._engine.compose_version():
            obstacles.append("docker compose is not installed; role docker installs it")
        for project in self._projects.values():
            if project.state != "present":
                continue
            for network in project.external_networks:
                if network not in self._snapshot.networks:
                    obstacles.append(
                        f"the network '{network}' that project '{project.name}' joins does not exist;"
                        " role networking makes it"
                    )
            for service in project.services.values():
                missing = image_name(service.image) not in self._snapshot.images and "@" not in service.image
                if self._policy.pull == "never" and missing and not service.built:
                    obstacles.append(
                        f"the image {service.image} of service '{service.name}' is not on the host and pull is 'never';"
                        " role images brings it"
                    )
        return obstacles

    def _run_jobs(self) -> dict[str, Failure]:
        """Bring projects up side by side, each after those that it names."""
        futures: dict[str, Future[Optional[Failure]]] = {}
        waiting = dict(self._jobs)
        with ThreadPoolExecutor(self._policy.parallel) as pool:
            while waiting:
                for name in list(waiting):
                    needs = [one for one in self._projects[name].after if one in self._jobs]
                    if all(one in futures for one in needs):
                        before = [futures[one] for one in needs]
                        futures[name] = pool.submit(self._run_job, name, waiting.pop(name), before)
        return {name: failure for name, failure in ((n, f.result()) for n, f in futures.items()) if failure}

    def _run_job(
        self, name: str, steps: Sequence[Operation], before: Sequence[Future[Optional[Failure]]]
    ) -> Optional[Failure]:
        failed = [failure.project for failure in (one.result() for one in before) if failure]
        if failed:
            return Failure(name, f"was not tried because {', '.join(failed)} failed")
        return self._bringer.bring(self._projects[name], steps, self._snapshot)

    def _record(self, project: Project) -> Record:
        own = [one for one in self._snapshot.containers if one.project == project.name and not one.one_off]
        return Record(
            files=project.shas(),
            services={
                name: {
                    "parts": project.parts(service),
                    "hashes": {str(one.number): one.config_hash for one in own if one.service == name},
                }
                for name, service in project.services.items()
            },
        )

    def _fallen(self, name: str, wanted: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
        if self._projects[name].state != "present":
            return []
        states = {key: seen["containers"].get(key, {}).get("status", "missing") for key in wanted["containers"]}
        return [f"{key} is {states[key]}" for key, one in wanted["containers"].items() if states[key] != one["status"]]

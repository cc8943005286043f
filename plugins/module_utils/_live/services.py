# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The small services that this collection keeps on the host: files in a folder, a systemd unit, a control program.

The control program understands ``start``, ``stop`` and ``status``; the last prints one JSON mapping and ends with 0
where the service does what its files say. systemd starts it where there is systemd, otherwise the program itself does.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation, Plan, differences

HOME = "/usr/local/lib/planner-memory"
UNITS = "/etc/systemd/system"
PREFIX = "planner-memory-"
CONTROL = "control"
NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}")
MODE = re.compile(r"0[0-7]{3}")
PATIENCE = 10.0


def systemd_runs() -> bool:
    return os.path.isdir("/run/systemd/system")


def run(argv: Sequence[str], timeout: float = 60.0) -> tuple[int, str]:
    """Exit code and everything that was said."""
    try:
        done = subprocess.run(
            list(argv), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        return 127, str(error)
    return done.returncode, done.stdout


@dataclass(frozen=True)
class Wanted:
    """A service as it shall be; no files where it shall not be at all."""

    name: str
    unit: str = ""
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def texts(self) -> dict[str, tuple[str, str]]:
        """Path → text and mode, of the unit too."""
        if not self.files:
            return {}
        inside = {path_of(self.name, file): what for file, what in self.files.items()}
        return {**inside, unit_of(self.name): (self.unit, "0644")}


def path_of(name: str, file: str = CONTROL) -> str:
    return f"{HOME}/{name}/{file}"


def unit_of(name: str) -> str:
    return f"{UNITS}/{PREFIX}{name}.service"


def wanted_of(name: str, unit: str, files: Sequence[Mapping[str, Any]], state: str = "present") -> Wanted:
    """The service that a task describes.

    :raises StackError: what is wrong with the description
    """
    if not NAME.fullmatch(name):
        raise StackError(f"name is '{name}', which cannot name a service; use small letters, digits and dashes")
    if state == "absent":
        return Wanted(name)
    found: dict[str, tuple[str, str]] = {}
    for file in files:
        mode = str(file.get("mode") or "0644")
        if not FILE_NAME.fullmatch(str(file.get("name") or "")):
            raise StackError(f"files of {name} has the name '{file.get('name')}'; write a file name without a folder")
        if not MODE.fullmatch(mode):
            raise StackError(f"files of {name} has the mode '{mode}'; write four octal digits, such as 0644")
        found[str(file["name"])] = (str(file.get("content") or ""), mode)
    if CONTROL not in found:
        raise StackError(f"files of {name} has no '{CONTROL}', the program that starts, stops and tells of the service")
    if not unit.strip():
        raise StackError(f"unit of {name} is empty; write the text of its systemd unit")
    return Wanted(name, unit, found)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def differs(wanted: Wanted, seen: Optional[Mapping[str, Any]]) -> list[str]:
    """In what the service that ``host_info`` saw is not the wanted one; empty where there is nothing to do."""
    seen = seen or {"files": {}, "enabled": None, "running": False}
    shown = {path: {"mode": mode, "sha256": sha256(text)} for path, (text, mode) in wanted.texts.items()}
    now = {"files": seen["files"], "enabled": seen["enabled"], "running": seen["running"]}
    return differences(_state(shown, seen["enabled"]), now)


def _state(files: dict[str, Any], enabled: Optional[bool]) -> dict[str, Any]:
    there = bool(files)
    return {"files": files, "enabled": enabled if enabled is None else there, "running": there}


def read_file(path: str) -> Optional[tuple[str, str]]:
    """Text and mode, or None where there is no such file."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as handle:
            return handle.read(), f"{stat.S_IMODE(os.fstat(handle.fileno()).st_mode):04o}"
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StackError(f"{path} cannot be read: {error.strerror}") from error


def files_of(name: str) -> dict[str, tuple[str, str]]:
    """Path → text and mode of everything that the service has on the host."""
    folder = f"{HOME}/{name}"
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    paths = [one for one in (f"{folder}/{file}" for file in names) if os.path.isfile(one)] + [unit_of(name)]
    read = {path: read_file(path) for path in paths}
    return {path: found for path, found in read.items() if found is not None}


def report_of(name: str) -> dict[str, Any]:
    """What the service says of itself: ``running``, and whatever its control program adds."""
    if not os.path.exists(path_of(name)):
        return {"running": False}
    code, said = run([path_of(name), "status"], timeout=10.0)
    try:
        told = json.loads(said.strip().splitlines()[-1])
    except (ValueError, IndexError):
        told = {"error": " ".join(said.split())[:200]}
    return {**(told if isinstance(told, dict) else {}), "running": code == 0}


def enabled_of(name: str) -> Optional[bool]:
    """Whether systemd starts it at every boot; None where there is no systemd."""
    if not systemd_runs():
        return None
    return run(["systemctl", "is-enabled", os.path.basename(unit_of(name))])[1].strip() == "enabled"


def installed() -> dict[str, dict[str, Any]]:
    """Name → files with their checksums, ``enabled`` and ``running``, of every service that is there."""
    names = sorted(os.listdir(HOME)) if os.path.isdir(HOME) else []
    found = {}
    for name in names:
        if not os.path.isdir(f"{HOME}/{name}"):
            continue
        try:
            files = {path: {"mode": mode, "sha256": sha256(text)} for path, (text, mode) in files_of(name).items()}
        except StackError:
            files = {}
        found[name] = {"files": files, "enabled": enabled_of(name), "running": report_of(name)["running"]}
    return found


class HostService:
    """One service as a resource.

    ``files`` handles whole files: ``write(path, text, mode)`` and ``remove(path)``; ``call`` runs a program.
    """

    def __init__(
        self,
        wanted: Wanted,
        files: Any,
        call: Callable[..., tuple[int, str]] = run,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.wanted = wanted
        self._files = files
        self._call = call
        self._sleep = sleep

    def observe(self) -> Any:
        name = self.wanted.name
        shown = {path: _shown(text, mode) for path, (text, mode) in files_of(name).items()}
        return {"files": shown, "enabled": enabled_of(name), "running": report_of(name)["running"]}

    def plan(self, current: Any) -> Plan:
        name = self.wanted.name
        wanted = {path: _shown(text, mode) for path, (text, mode) in self.wanted.texts.items()}
        after = _state(wanted, current["enabled"])
        if current == after:
            return Plan(current, after)
        steps = self._arrive(current, after) if wanted else self._leave(current)
        warnings = ()
        if wanted and current["enabled"] is None:
            warnings = (f"this host has no systemd: {name} is started now, and does not come back after a reboot",)
        return Plan(current, after, tuple(steps), warnings)

    def _arrive(self, current: Any, after: Any) -> list[Operation]:
        name = self.wanted.name
        texts = self.wanted.texts
        steps = [
            Operation("write", path, f"write {path}", {"text": texts[path][0], "mode": texts[path][1]})
            for path in texts
            if current["files"].get(path) != after["files"][path]
        ]
        steps += self._surplus(current, after)
        if current["enabled"] is not None and any(step.target == unit_of(name) for step in steps):
            steps.append(Operation("reload", name, "make systemd read its units again"))
        if current["enabled"] is False:
            steps.append(Operation("enable", name, f"start {name} at every boot"))
        word = "restart" if current["running"] else "start"
        return [*steps, Operation("start", name, f"{word} {name}")]

    def _leave(self, current: Any) -> list[Operation]:
        name = self.wanted.name
        # Also one that does not run as it should may have left something.
        there = current["running"] or path_of(name) in current["files"]
        steps = [Operation("stop", name, f"stop {name}")] if there else []
        if current["enabled"]:
            steps.append(Operation("disable", name, f"start {name} no longer at boot"))
        steps += self._surplus(current, {"files": {}})
        if current["enabled"] is not None and unit_of(name) in current["files"]:
            steps.append(Operation("reload", name, "make systemd read its units again"))
        return steps

    @staticmethod
    def _surplus(current: Any, after: Any) -> list[Operation]:
        gone = sorted(set(current["files"]) - set(after["files"]))
        return [Operation("remove", path, f"remove {path}") for path in gone]

    def apply(self, operation: Operation) -> None:
        getattr(self, f"_{operation.verb}")(operation)

    def _write(self, operation: Operation) -> None:
        self._files.write(operation.target, operation.args["text"], operation.args["mode"])

    def _remove(self, operation: Operation) -> None:
        self._files.remove(operation.target)

    def _reload(self, _operation: Operation) -> None:
        self._must(["systemctl", "daemon-reload"], "systemd does not read its units again")

    def _enable(self, operation: Operation) -> None:
        self._must(["systemctl", "enable", self._unit], f"{operation.target} cannot be enabled")

    def _disable(self, operation: Operation) -> None:
        self._must(["systemctl", "disable", self._unit], f"{operation.target} cannot be disabled")

    def _start(self, operation: Operation) -> None:
        if systemd_runs():
            self._must(["systemctl", "restart", self._unit], f"{operation.target} does not start")
            return
        self._call([path_of(operation.target), "stop"])
        self._must([path_of(operation.target), "start"], f"{operation.target} does not start")

    def _stop(self, operation: Operation) -> None:
        argv = ["systemctl", "stop", self._unit] if systemd_runs() else [path_of(operation.target), "stop"]
        self._must(argv, f"{operation.target} does not stop")
        if os.path.exists(path_of(operation.target)):
            # Also where somebody started it past systemd.
            self._must([path_of(operation.target), "stop"], f"{operation.target} does not stop")

    def settle(self, plan: Plan) -> Any:
        """Observe until the service has started, or for ten seconds."""
        deadline = time.monotonic() + PATIENCE
        while True:
            state = self.observe()
            if state == plan.after or time.monotonic() > deadline:
                return state
            self._sleep(0.2)

    @property
    def _unit(self) -> str:
        return os.path.basename(unit_of(self.wanted.name))

    def _must(self, argv: Sequence[str], words: str) -> None:
        code, said = self._call(argv)
        if code == 0:
            return
        if argv[0] == "systemctl" and argv[1] == "restart":
            said = self._call(["journalctl", "--unit", self._unit, "--lines", "5", "--no-pager", "--output", "cat"])[1]
        raise StackError(f"{words}: {' '.join(said.split())[:400] or f'exit code {code}'}")


def _shown(text: str, mode: str) -> dict[str, Any]:
    return {"mode": mode, "text": text.splitlines()}

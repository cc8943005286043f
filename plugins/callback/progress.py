# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: aggregate
short_description: A sign of life during long tasks, what changed in words, and where the time went
version_added: "0.1.0"
author: [bestviable.planner_memory contributors (@bestviable)]
description:
  - While a task runs for long, a line says now and then what runs, where, and for how long.
  - Behind a task that changed something, a line for each of its C(actions), as this collection's modules return them;
    behind one that failed, a line for each of the C(actions_done) before that.
  - Behind a task of M(community.docker.docker_network) the same line in check mode and in a run.
  - At the end a table says how many tasks ran a module on a host, which took longest, and what the whole run took.
  - A task whose work is done on the controller is not counted as a module task.
requirements:
  - Enable it with C(callbacks_enabled = bestviable.planner_memory.progress) in C(ansible.cfg).
options:
  heartbeat:
    description: Seconds between two signs of life of one task; 0 for none.
    type: float
    default: 15
    env:
      - name: PLANNER_MEMORY_HEARTBEAT
    ini:
      - section: callback_progress
        key: heartbeat
  slowest:
    description: How many tasks the table shows; 0 for none.
    type: int
    default: 10
    env:
      - name: PLANNER_MEMORY_SLOWEST
    ini:
      - section: callback_progress
        key: slowest
  all_tasks:
    description: Show every task, in the order in which they ran.
    type: bool
    default: false
    env:
      - name: PLANNER_MEMORY_ALL_TASKS
    ini:
      - section: callback_progress
        key: all_tasks
"""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible.plugins.callback import CallbackBase

# Their work is done on the controller; everything else runs at least one module on the host.
CONTROLLER_ONLY = frozenset(
    {
        "add_host",
        "assert",
        "debug",
        "fail",
        "group_by",
        "import_playbook",
        "import_role",
        "import_tasks",
        "include_role",
        "include_tasks",
        "include_vars",
        "meta",
        "pause",
        "set_fact",
        "set_stats",
        "validate_argument_spec",
        "preflight",
    }
)
LONGEST_NAME = 90


@dataclass
class Entry:
    """One task of the run: when it was first and last heard of, and how many modules it ran."""

    name: str
    action: str
    started: float
    ended: Optional[float] = None
    modules: int = 0
    hosts: dict[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return (self.started if self.ended is None else self.ended) - self.started


def modules_run(action: str, result: Mapping[str, Any]) -> int:
    """How many modules a finished task ran on its host."""
    if action.rsplit(".", 1)[-1] in CONTROLLER_ONLY:
        return 0
    if action.endswith("planner_memory.spec_check"):
        return 1 if result.get("probes_run") else 0
    if isinstance(result.get("results"), list) and any(
        "ansible_loop_var" in one for one in _mappings(result["results"])
    ):
        return sum(not one.get("skipped") for one in _mappings(result["results"]))
    return 0 if result.get("skipped") else 1


def _mappings(items: Iterable[Any]) -> list[Mapping[str, Any]]:
    return [one for one in items if isinstance(one, Mapping)]


def changes(result: Mapping[str, Any], action: str = "") -> list[str]:
    """A line for everything that a module changed, in check mode would change, or had changed when it failed."""
    if action == "community.docker.docker_network":
        return _network(result)
    actions = result.get("actions_done" if result.get("failed") else "actions")
    if not result.get("changed") or not isinstance(actions, list):
        return []
    return [f"  - {one}" for one in actions if isinstance(one, str)]


def _network(result: Mapping[str, Any]) -> list[str]:
    """The module itself tells its actions in check mode only, as if they were done."""
    given = (result.get("invocation") or {}).get("module_args") or {}
    if not result.get("changed") or result.get("failed") or "name" not in given:
        return []
    verb = "remove" if given.get("state") == "absent" else "make anew" if given.get("force") else "create"
    return [f"  - network {given['name']}: {verb}"]


def duration(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


class Clock:
    """What ran when; every method may be called from any thread."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self.begun = now()
        self.entries: dict[str, Entry] = {}
        self._told: dict[tuple[str, str], float] = {}

    def start(self, task: str, host: str, name: str, action: str) -> None:
        with self._lock:
            entry = self.entries.setdefault(task, Entry(name, action, self._now()))
            entry.hosts[host] = self._now()

    def finish(self, task: str, host: str, modules: int) -> None:
        with self._lock:
            entry = self.entries.get(task)
            if entry is not None:
                entry.hosts.pop(host, None)
                entry.ended = self._now()
                entry.modules += modules

    def overdue(self, every: float) -> list[str]:
        """Lines for everything that has been silent for ``every`` seconds."""
        lines = []
        with self._lock:
            now = self._now()
            for key, entry in self.entries.items():
                for host, started in entry.hosts.items():
                    if now - max(started, self._told.get((key, host), started)) >= every:
                        self._told[(key, host)] = now
                        lines.append(f"… still running: {entry.name} ({host}, {duration(now - started)})")
        return lines

    def table(self, slowest: int, everything: bool) -> list[str]:
        """The closing table."""
        with self._lock:
            entries = list(self.entries.values())
            total = self._now() - self.begun
        modules = sum(entry.modules for entry in entries)
        shown = entries if everything else sorted(entries, key=lambda one: -one.seconds)[:slowest]
        if not shown:
            return []
        tasks = sum(entry.modules > 0 for entry in entries)
        rest = max(0.0, total - sum(entry.seconds for entry in entries))
        counted = f"{tasks} of {len(entries)} tasks ran a module ({modules} module runs)"
        lines = [f"TIMES: {total:.1f} s since Ansible has started, {counted}"]
        lines += [f"  {entry.seconds:6.2f} s  {_runs(entry.modules)}  {entry.name[:LONGEST_NAME]}" for entry in shown]
        hidden = len(entries) - len(shown)
        if hidden:
            seconds = sum(entry.seconds for entry in entries) - sum(entry.seconds for entry in shown)
            lines.append(f"  {seconds:6.2f} s  {'':10}  {hidden} more tasks")
        lines.append(f"  {rest:6.2f} s  {'':10}  Ansible itself, before, between and after the tasks")
        return lines


def _runs(modules: int) -> str:
    if not modules:
        return f"{'':10}"
    return f"{'module':10}" if modules == 1 else f"{f'{modules} modules':10}"


class CallbackModule(CallbackBase):
    """A sign of life, what changed, and where the time went."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "bestviable.planner_memory.progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self._over = threading.Event()
        self._thread: Optional[threading.Thread] = None

    def v2_playbook_on_start(self, playbook: Any) -> None:
        every = float(self.get_option("heartbeat"))
        if every > 0:
            self._thread = threading.Thread(target=self._beat, args=(every,), name="progress", daemon=True)
            self._thread.start()

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self.clock.start(task._uuid, host.get_name(), task.get_name().strip(), task.resolved_action or task.action)

    def v2_runner_on_ok(self, result: Any) -> None:
        self._finish(result)
        self._tell(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._finish(result)
        self._tell(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._finish(result, ran=False)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._finish(result, ran=False)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._over.set()
        lines = self.clock.table(int(self.get_option("slowest")), bool(self.get_option("all_tasks")))
        if lines:
            self._display.display("\n" + "\n".join(lines))

    def _tell(self, result: Any) -> None:
        for line in changes(result._result, result._task.resolved_action or result._task.action):
            self._display.display(line, color="yellow")

    def _finish(self, result: Any, ran: bool = True) -> None:
        task = result._task
        action = task.resolved_action or task.action
        modules = modules_run(action, result._result) if ran else 0
        self.clock.finish(task._uuid, result._host.get_name(), modules)

    def _beat(self, every: float) -> None:
        while not self._over.wait(min(1.0, every / 4)):
            for line in self.clock.overdue(every):
                self._display.display(line)
                # Without a terminal the output waits in a buffer; the lock is the one that Ansible holds when it forks.
                with self._display._lock:
                    sys.stdout.flush()

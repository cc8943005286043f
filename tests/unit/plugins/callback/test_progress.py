from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.callback.progress import (
    CallbackModule,
    Clock,
    changes,
    duration,
    modules_run,
)

from tests.support.waiting import until


class Watch:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.mark.parametrize(
    ("action", "result", "count"),
    [
        ("ansible.builtin.command", {"rc": 0}, 1),
        ("bestviable.planner_memory.compose_stack", {}, 1),
        ("ansible.builtin.set_fact", {}, 0),
        ("set_fact", {}, 0),
        ("ansible.builtin.include_tasks", {}, 0),
        ("ansible.builtin.validate_argument_spec", {}, 0),
        ("bestviable.planner_memory.preflight", {}, 0),
        ("bestviable.planner_memory.spec_check", {"msg": "3 checks remembered"}, 0),
        ("bestviable.planner_memory.spec_check", {"probes_run": 0}, 0),
        ("bestviable.planner_memory.spec_check", {"probes_run": 54}, 1),
        ("ansible.builtin.command", {"skipped": True}, 0),
        (
            "ansible.builtin.command",
            {"results": [{"ansible_loop_var": "item"}, {"ansible_loop_var": "item", "skipped": True}]},
            1,
        ),
        ("bestviable.planner_memory.spec_probe", {"results": [{"rc": 0}, {"rc": 0}]}, 1),
        ("ansible.builtin.debug", {"results": [{"ansible_loop_var": "item"}]}, 0),
    ],
)
def test_only_what_ran_on_the_host_counts(action: str, result: dict[str, Any], count: int) -> None:
    assert modules_run(action, result) == count


@pytest.mark.parametrize(
    ("result", "lines"),
    [
        ({"changed": True, "actions": ["web: start (it stopped)"]}, ["  - web: start (it stopped)"]),
        ({"changed": False, "actions": ["looked"]}, []),
        ({"changed": True}, []),
        ({"changed": True, "actions": "one"}, []),
        ({"changed": True, "failed": True, "actions_done": ["web: update a"]}, ["  - web: update a"]),
        ({"changed": False, "failed": True, "actions_done": []}, []),
        ({"changed": True, "actions": [{"id": "web", "status": "Started"}, "Pulled image x"]}, ["  - Pulled image x"]),
    ],
)
def test_what_changed_is_told_in_words(result: dict[str, Any], lines: list[str]) -> None:
    assert changes(result) == lines


@pytest.mark.parametrize(
    ("given", "result", "lines"),
    [
        ({"force": False}, {"actions": ["Created network p with driver bridge"]}, ["  - network p: create"]),
        ({"force": False}, {"network": {"Name": "p"}}, ["  - network p: create"]),
        ({"force": True}, {}, ["  - network p: make anew"]),
        ({"state": "absent"}, {}, ["  - network p: remove"]),
        ({}, {"changed": False}, []),
        ({}, {"failed": True}, []),
    ],
)
def test_a_network_has_the_same_words_in_check_mode_and_in_a_run(
    given: dict[str, Any], result: dict[str, Any], lines: list[str]
) -> None:
    told = {"changed": True, "invocation": {"module_args": {"name": "p", **given}}, **result}
    assert changes(told, "community.docker.docker_network") == lines


def test_a_sign_of_life_comes_every_so_often_and_not_before(watch: Watch) -> None:
    clock = Clock(watch)
    clock.start("t1", "web", "Compose | Bring up", "compose_stack")
    watch.now += 14
    assert clock.overdue(15) == []
    watch.now += 1
    assert clock.overdue(15) == ["… still running: Compose | Bring up (web, 15 s)"]
    watch.now += 14
    assert clock.overdue(15) == []
    watch.now += 61
    assert clock.overdue(15) == ["… still running: Compose | Bring up (web, 1 min 30 s)"]
    clock.finish("t1", "web", 1)
    watch.now += 100
    assert clock.overdue(15) == []


def test_each_host_has_its_own_sign(watch: Watch) -> None:
    clock = Clock(watch)
    clock.start("t1", "a", "Task", "command")
    watch.now += 10
    clock.start("t1", "b", "Task", "command")
    watch.now += 6
    assert clock.overdue(15) == ["… still running: Task (a, 16 s)"]
    clock.finish("t1", "a", 1)
    watch.now += 10
    assert clock.overdue(15) == ["… still running: Task (b, 16 s)"]
    assert clock.entries["t1"].seconds == 16


def test_the_table_has_the_slowest_first_and_adds_up(watch: Watch) -> None:
    clock = Clock(watch)
    for name, seconds, modules in (("one", 1, 1), ("two", 3, 2), ("three", 0.5, 0)):
        watch.now += 0.25
        clock.start(name, "h", name, "command")
        watch.now += seconds
        clock.finish(name, "h", modules)
    lines = clock.table(2, False)
    assert lines[0] == "TIMES: 5.2 s since Ansible has started, 2 of 3 tasks ran a module (3 module runs)"
    assert [line.split()[-1] for line in lines[1:3]] == ["two", "one"]
    assert lines[3].split() == ["0.50", "s", "1", "more", "tasks"]
    assert lines[4].split()[:2] == ["0.75", "s"]
    assert [line.split()[-1] for line in clock.table(2, True)[1:4]] == ["one", "two", "three"]
    assert clock.table(0, False) == []


def test_threads_may_start_finish_and_ask_at_once() -> None:
    clock = Clock()
    errors: list[Exception] = []

    def work(number: int) -> None:
        try:
            for turn in range(200):
                clock.start(f"{number}-{turn}", "h", "x", "command")
                clock.overdue(0)
                clock.finish(f"{number}-{turn}", "h", 1)
        except Exception as error:  # noqa: BLE001 - the test is that there is none
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sum(entry.modules for entry in clock.entries.values()) == 800


def test_durations() -> None:
    assert [duration(seconds) for seconds in (0.4, 59.9, 60, 605)] == ["0 s", "59 s", "1 min 00 s", "10 min 05 s"]


class Display:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self._lock = threading.RLock()

    def display(self, line: str, **_more: Any) -> None:
        self.lines.append(line)


def test_the_callback_beats_counts_and_ends(watch: Watch) -> None:
    callback = CallbackModule()
    callback.clock = Clock(watch)
    callback._display = Display()
    callback.get_option = {"heartbeat": 0.04, "slowest": 10, "all_tasks": False}.get
    task = SimpleNamespace(
        _uuid="u", get_name=lambda: "Wait", resolved_action="ansible.builtin.command", action="command"
    )
    host = SimpleNamespace(get_name=lambda: "web")
    callback.v2_playbook_on_start(None)
    callback.v2_runner_on_start(host, task)
    watch.now += 20
    assert until(lambda: callback._display.lines, 60)
    assert callback._display.lines[0] == "… still running: Wait (web, 20 s)"
    callback.v2_runner_on_ok(SimpleNamespace(_task=task, _host=host, _result={"rc": 0}))
    callback.v2_playbook_on_stats(None)
    assert callback._thread is not None
    callback._thread.join(60)
    assert not callback._thread.is_alive()
    assert "1 of 1 tasks ran a module" in callback._display.lines[-1]

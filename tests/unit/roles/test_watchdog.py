# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watchdog's own decisions, with an engine and a clock that are played."""

from __future__ import annotations

import importlib.util
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
SPEC = importlib.util.spec_from_file_location("watchdog", ROOT / "roles/watchdog/files/watchdog.py")
assert SPEC and SPEC.loader
watchdog = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(watchdog)
SETTINGS = {"max_restarts": 2, "window": 3600, "grace": 10, "label": "l=true"}


class FakeEngine:
    def __init__(self) -> None:
        self.state: dict[str, Any] = {
            "Running": True,
            "Pid": 0,
            "Health": {"Status": "unhealthy", "Log": [{"Output": "500\n"}]},
        }
        self.restarted: list[tuple[str, int]] = []

    def inspect(self, container: str) -> dict[str, Any]:
        return {"Name": "/planner", "State": self.state}

    def unhealthy(self, label: str) -> list[str]:
        return ["abc"] if self.state["Health"]["Status"] == "unhealthy" else []

    def restart(self, container: str, grace: int) -> None:
        self.restarted.append((container, grace))


class Scene:
    def __init__(self) -> None:
        self.engine = FakeEngine()
        self.said: list[tuple[str, int]] = []
        self.kept: dict[str, Any] = {}
        self.time = 1000.0
        self.dog = self.new()

    def new(self) -> Any:
        return watchdog.Watchdog(self.engine, SETTINGS, self.keep, lambda: self.time, self.tell)

    def keep(self, state: dict[str, Any]) -> None:
        self.kept = json.loads(json.dumps(state))

    def tell(self, words: str, level: int = watchdog.NOTICE) -> None:
        self.said.append((words, level))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_an_unhealthy_container_is_restarted_and_the_line_says_why(scene: Scene) -> None:
    assert scene.dog.heal("abc")
    assert scene.engine.restarted == [("abc", 10)]
    assert "restarting planner, unhealthy (1 of 2 within 3600 s); its last health check said: 500" in scene.said[0][0]


@pytest.mark.parametrize(
    "change", [{"Running": False}, {"Paused": True}, {"Health": {"Status": "healthy"}}, {"Health": None}]
)
def test_nothing_else_is_restarted(scene: Scene, change: dict[str, Any]) -> None:
    scene.engine.state.update(change)
    assert not scene.dog.heal("abc")
    assert scene.engine.restarted == []


def test_it_gives_up_once_and_loudly_and_tries_again_after_the_window(scene: Scene) -> None:
    assert [scene.dog.heal("abc") for _time in range(10)] == [True, True] + [False] * 8
    loud = [words for words, level in scene.said if level == watchdog.ERROR]
    assert len(loud) == 1 and "giving up on planner" in loud[0]
    assert scene.kept["given_up"] == {"abc": "planner"}
    scene.time += 3601
    assert scene.dog.heal("abc")
    assert scene.kept["given_up"] == {}


def test_a_new_watchdog_goes_on_counting(scene: Scene) -> None:
    scene.dog.heal("abc")
    scene.dog.heal("abc")
    next_one = scene.new()
    next_one.recall(scene.kept)
    assert not next_one.heal("abc")


def test_a_container_that_is_healthy_again_is_forgiven_but_counted(scene: Scene) -> None:
    for _time in range(3):
        scene.dog.heal("abc")
    scene.engine.state["Health"]["Status"] = "healthy"
    assert scene.dog.sweep() == []
    assert scene.kept["given_up"] == {} and len(scene.kept["restarts"]["abc"]) == 2
    scene.dog.forgive("abc", gone=True)
    assert scene.kept["restarts"] == {}


def test_a_stopped_process_is_not_waited_for(tmp_path: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7/status").write_text("Name:\tx\nState:\tT (stopped)\n")
    (tmp_path / "8").mkdir()
    (tmp_path / "8/status").write_text("Name:\tx\nState:\tS (sleeping)\n")
    assert watchdog.stopped(7, str(tmp_path)) and not watchdog.stopped(8, str(tmp_path))
    assert not watchdog.stopped(9, str(tmp_path))
    monkeypatch.setattr(watchdog, "stopped", lambda pid: True)
    scene.dog.heal("abc")
    assert scene.engine.restarted == [("abc", 0)]


def test_one_restart_of_a_container_at_a_time(scene: Scene) -> None:
    scene.dog.busy.add("abc")
    assert not scene.dog.heal("abc")


def test_an_engine_that_refuses_is_told_and_survived(scene: Scene) -> None:
    def refuse(_container: str, _grace: int) -> None:
        raise OSError("POST /restart: 500 no")

    scene.engine.restart = refuse  # type: ignore[method-assign]
    assert not scene.dog.heal("abc")
    assert scene.said[-1] == ("cannot restart abc: POST /restart: 500 no", watchdog.ERROR)
    assert scene.dog.busy == set()


@pytest.fixture
def spoken(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """A socket that answers one request with an event stream."""
    path = str(tmp_path / "docker.sock")
    asked: list[str] = []
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    event = json.dumps({"Action": watchdog.UNHEALTHY, "Actor": {"ID": "abc"}}).encode() + b"\n"

    def serve() -> None:
        client, _address = server.accept()
        asked.append(client.recv(65536).decode())
        client.sendall(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"%x\r\n" % len(event) + event + b"\r\n0\r\n\r\n"
        )
        client.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield path, asked
    thread.join(5)
    server.close()


def test_events_are_asked_for_by_label_and_read_one_by_one(spoken: tuple[str, list[str]]) -> None:
    path, asked = spoken
    assert list(watchdog.Engine(path).events("l=true")) == [("abc", watchdog.UNHEALTHY)]
    assert asked[0].startswith("GET /events?filters=") and "l%3Dtrue" in asked[0]

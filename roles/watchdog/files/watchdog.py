# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts containers that Docker calls unhealthy, those that ask for it by a label, and gives up loudly.

usage: control run|start|stop|status

run stays in the foreground (systemd), start goes to the background (no systemd). Settings are in settings.json beside
this file. Docker's events say at once who became unhealthy; a sweep finds what was missed.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import queue
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterator, Optional
from urllib.parse import quote

HERE = Path(__file__).resolve().parent
STATE = Path("/run/planner-memory/watchdog.json")
LOG = Path("/var/log/planner-memory-watchdog.log")
ERROR, NOTICE = 3, 5
WORKERS = 8
UNHEALTHY, HEALTHY = "health_status: unhealthy", "health_status: healthy"


def say(words: str, level: int = NOTICE) -> None:
    """One line: to the journal with its level, elsewhere with the time."""
    if os.environ.get("JOURNAL_STREAM"):
        print(f"<{level}>{words}", flush=True)
    else:
        print(time.strftime("%Y-%m-%dT%H:%M:%SZ ", time.gmtime()) + words, flush=True)


class Engine:
    """Docker's API over its socket, a connection for each question."""

    def __init__(self, path: str, timeout: float = 30.0) -> None:
        self.path = path
        self.timeout = timeout

    def _ask(self, method: str, path: str, timeout: Optional[float]) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("docker", timeout=timeout)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.settimeout(timeout)
        connection.sock.connect(self.path)
        connection.request(method, path)
        answer = connection.getresponse()
        if answer.status >= 400:
            raise OSError(f"{method} {path}: {answer.status} {answer.read(300).decode('utf-8', 'replace').strip()}")
        return answer

    def inspect(self, container: str) -> dict[str, Any]:
        return json.loads(self._ask("GET", f"/containers/{container}/json", self.timeout).read())

    def unhealthy(self, label: str) -> list[str]:
        filters = quote(json.dumps({"label": [label], "health": ["unhealthy"]}))
        listed = json.loads(self._ask("GET", f"/containers/json?filters={filters}", self.timeout).read())
        return [one["Id"] for one in listed]

    def restart(self, container: str, grace: int) -> None:
        self._ask("POST", f"/containers/{container}/restart?t={grace}", self.timeout + grace).read()

    def events(self, label: str) -> Iterator[tuple[str, str]]:
        """Container and action, for as long as the engine talks."""
        wanted = {"type": ["container"], "label": [label], "event": [UNHEALTHY, HEALTHY, "destroy"]}
        answer = self._ask("GET", f"/events?filters={quote(json.dumps(wanted))}", None)
        for line in answer:
            if line.strip():
                event = json.loads(line)
                yield event["Actor"]["ID"], event.get("Action") or event.get("status") or ""


def stopped(pid: int, proc: str = "/proc") -> bool:
    """Whether a process is stopped, so that it cannot answer any signal but the last."""
    try:
        status = Path(f"{proc}/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False
    return any(line.split()[1:2] == ["T"] for line in status.splitlines() if line.startswith("State:"))


def last_words(inspected: dict[str, Any]) -> str:
    """What the last health check said."""
    log = ((inspected["State"].get("Health") or {}).get("Log") or [{}])[-1]
    return " ".join(str(log.get("Output") or "").split())[-160:] or "no output"


class Watchdog:
    """Who is restarted, how often, and when it is given up."""

    def __init__(
        self,
        engine: Any,
        settings: dict[str, Any],
        remember: Callable[[dict[str, Any]], None] = lambda _state: None,
        now: Callable[[], float] = time.time,
        tell: Callable[..., None] = say,
    ) -> None:
        self.engine = engine
        self.settings = settings
        self.remember = remember
        self.now = now
        self.tell = tell
        self.restarts: dict[str, list[float]] = {}
        self.given_up: dict[str, str] = {}
        self.busy: set[str] = set()
        self.lock = threading.Lock()

    def recall(self, state: dict[str, Any]) -> None:
        """Go on counting where the watchdog before this one ended."""
        self.restarts = {key: [float(one) for one in times] for key, times in (state.get("restarts") or {}).items()}
        self.given_up = dict(state.get("given_up") or {})

    def heal(self, container: str) -> bool:
        """Restart one container if it still is unhealthy and has not been restarted too often."""
        with self.lock:
            if container in self.busy:
                return False
            self.busy.add(container)
        try:
            return self._heal(container)
        except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
            self.tell(f"cannot restart {container[:12]}: {error}", ERROR)
            return False
        finally:
            with self.lock:
                self.busy.discard(container)

    def _heal(self, container: str) -> bool:
        seen = self.engine.inspect(container)
        state = seen["State"]
        if not state.get("Running") or state.get("Paused") or (state.get("Health") or {}).get("Status") != "unhealthy":
            return False
        name = seen["Name"].lstrip("/")
        limit, window = self.settings["max_restarts"], self.settings["window"]
        now = self.now()
        times = [one for one in self.restarts.get(container, []) if now - one < window]
        if len(times) >= limit:
            if container not in self.given_up:
                self.given_up[container] = name
                self.tell(
                    f"giving up on {name}: unhealthy again after {len(times)} restarts within {window} s;"
                    f" its last health check said: {last_words(seen)}",
                    ERROR,
                )
                self._keep()
            return False
        self.given_up.pop(container, None)
        hangs = stopped(int(state.get("Pid") or 0))
        self.tell(
            f"restarting {name}, {'stopped and ' if hangs else ''}unhealthy"
            f" ({len(times) + 1} of {limit} within {window} s);"
            f" its last health check said: {last_words(seen)}"
        )
        self.restarts[container] = [*times, now]
        self._keep()
        self.engine.restart(container, 0 if hangs else self.settings["grace"])
        return True

    def forgive(self, container: str, *, gone: bool = False) -> None:
        """A container is healthy again, or no more."""
        name = self.given_up.pop(container, None)
        if gone:
            self.restarts.pop(container, None)
        if name is not None or gone:
            self._keep()
        if name is not None and not gone:
            self.tell(f"{name} is healthy again")

    def sweep(self) -> list[str]:
        """Who is unhealthy now, whatever the events said."""
        found = self.engine.unhealthy(self.settings["label"])
        for container in set(self.given_up) - set(found):
            self.forgive(container)
        return found

    def _keep(self) -> None:
        with self.lock:
            self.remember({"restarts": self.restarts, "given_up": self.given_up})


def listen(engine: Engine, label: str, heard: queue.Queue[tuple[str, str]]) -> None:
    """Put every event into the queue; an engine that goes away is waited for."""
    silent = False
    while True:
        try:
            for event in engine.events(label):
                silent = False
                heard.put(event)
        except (OSError, ValueError, http.client.HTTPException) as error:
            if not silent:
                say(f"the Docker engine does not talk: {error}; waiting for it", ERROR)
            silent = True
        heard.put(("", "engine"))
        time.sleep(1)


def code() -> str:
    """What is running here: the program and its settings."""
    parts = [(HERE / name).read_bytes() for name in ("control", "settings.json") if (HERE / name).exists()]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def read_state() -> dict[str, Any]:
    try:
        return json.loads(STATE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def write_state(state: dict[str, Any]) -> None:
    STATE.parent.mkdir(parents=True, exist_ok=True)
    new = STATE.with_suffix(".new")
    new.write_text(json.dumps(state), encoding="utf-8")
    new.replace(STATE)


def watch() -> None:
    settings = json.loads((HERE / "settings.json").read_text(encoding="utf-8"))
    mine = {"pid": os.getpid(), "code": code()}
    engine = Engine(settings["socket"])
    dog = Watchdog(engine, settings, lambda state: write_state({**mine, **state}))
    dog.recall(read_state())
    write_state({**mine, "restarts": dog.restarts, "given_up": dog.given_up})
    heard: queue.Queue[tuple[str, str]] = queue.Queue()
    threading.Thread(target=listen, args=(engine, settings["label"], heard), daemon=True).start()
    say(f"watching containers labelled {settings['label']}")
    signal.signal(signal.SIGTERM, lambda _signal, _frame: os._exit(0))
    due = 0.0
    with ThreadPoolExecutor(WORKERS) as pool:
        while True:
            try:
                container, action = heard.get(timeout=max(0.0, due - time.monotonic()))
                if action == UNHEALTHY:
                    pool.submit(dog.heal, container)
                elif action in (HEALTHY, "destroy"):
                    dog.forgive(container, gone=action == "destroy")
                elif action == "engine":
                    due = min(due, time.monotonic() + 1)
            except queue.Empty:
                due = time.monotonic() + settings["sweep"]
                try:
                    for container in dog.sweep():
                        pool.submit(dog.heal, container)
                except (OSError, ValueError, http.client.HTTPException):
                    pass  # the listener says it


def alive(state: dict[str, Any]) -> bool:
    """Whether the process of the state is this program, and not another one under an old number."""
    try:
        command = Path(f"/proc/{int(state['pid'])}/cmdline").read_bytes()
    except (OSError, KeyError, ValueError):
        return False
    return str(HERE / "control").encode() in command


def status() -> int:
    state = read_state()
    lives = alive(state)
    current = lives and state.get("code") == code()
    print(json.dumps({"state": "current" if current else "outdated" if lives else "stopped",
                      "given_up": sorted((state.get("given_up") or {}).values()) if lives else [],
                      "restarts": sum(len(one) for one in (state.get("restarts") or {}).values())}))  # fmt: skip
    return 0 if current else 1


def start() -> int:
    if status() == 0:
        return 0
    stop()
    if os.fork():
        return 0
    os.setsid()
    if os.fork():
        os._exit(0)
    log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.pop("JOURNAL_STREAM", None)
    os.execv(sys.executable, [sys.executable, str(HERE / "control"), "run"])


def stop() -> int:
    state = read_state()
    if alive(state):
        os.kill(int(state["pid"]), signal.SIGTERM)
        for _tenth in range(50):
            if not alive(state):
                break
            time.sleep(0.1)
    return 0


if __name__ == "__main__":
    verbs: dict[str, Callable[[], Any]] = {"run": watch, "start": start, "stop": stop, "status": status}
    if len(sys.argv) != 2 or sys.argv[1] not in verbs:
        sys.exit(f"usage: {sys.argv[0]} {'|'.join(verbs)}")
    sys.exit(verbs[sys.argv[1]]() or 0)

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be asked of a live host; nothing here judges, and nothing here raises."""

from __future__ import annotations

import datetime
import decimal
import json
import os
import re
import socket
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError, masked
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live import edge
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live.engine import Engine
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live.host import listening
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live.match import unmatched
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live.services import report_of

KINDS = ("exec", "http", "inspect", "network", "engine", "sql", "tcp", "listen", "service", "file", "edge")
LONGEST_TEXT = 20000
PAUSE = 0.5
SECRET_HEADER = re.compile(r"auth|cookie|key|token|secret|password", re.IGNORECASE)


def truncate(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}… ({len(text)} characters)"


def read_text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def plain(value: Any) -> Any:
    """What a database returns, as JSON can carry it."""
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def secrets_of(probes: Sequence[Mapping[str, Any]]) -> set[str]:
    """Values that must not show in any answer: passwords, and what credential headers carry."""
    found = set()
    for probe in probes:
        found.add(((probe.get("sql") or {}).get("login") or {}).get("password") or "")
        for name, value in ((probe.get("http") or {}).get("headers") or {}).items():
            if SECRET_HEADER.search(name):
                found.update((str(value).strip(), *str(value).split()[1:]))
    return found - {""}


def without_values(inspected: dict[str, Any]) -> dict[str, Any]:
    """What an inspection says, with the names of the environment and not its values: those are where secrets are."""
    config = inspected.get("Config") or {}
    if not config.get("Env"):
        return inspected
    names = [str(entry).split("=", 1)[0] for entry in config["Env"]]
    return {**inspected, "Config": {**config, "Env": [f"{name}=***" for name in names]}}


class Prober:
    """Asks; every method returns a plain dictionary.

    :param timeout: seconds for one question
    :param read_only: leave out whatever could write (check mode)
    """

    def __init__(self, engine: Engine, timeout: float = 10.0, read_only: bool = False) -> None:
        self.engine = engine
        self.timeout = timeout
        self.read_only = read_only
        self._inspected: dict[str, dict[str, Any]] = {}

    def ask_all(self, probes: Sequence[Mapping[str, Any]], workers: int = 8) -> list[dict[str, Any]]:
        """Answers in the order of the questions; those of one ``chain`` one after another, chains side by side."""
        chains: dict[str, list[int]] = {}
        for index, probe in enumerate(probes):
            chains.setdefault(str(probe.get("chain") or f"#{index}"), []).append(index)
        answers: list[dict[str, Any]] = [{} for _probe in probes]

        def run(indexes: list[int]) -> None:
            for index in indexes:
                answers[index] = self.ask(probes[index])

        with ThreadPoolExecutor(max_workers=max(1, min(workers, len(chains) or 1))) as pool:
            list(pool.map(run, chains.values()))
        return answers

    def ask(self, probe: Mapping[str, Any]) -> dict[str, Any]:
        """One question; asked again for ``within`` seconds until ``expect`` holds, where those are given."""
        deadline = time.monotonic() + float(probe.get("within") or 0)
        while True:
            answer = self._once(probe)
            satisfied = "error" not in answer and not unmatched(answer, probe.get("expect") or {})
            if satisfied or time.monotonic() + PAUSE >= deadline:
                return answer
            time.sleep(PAUSE)

    def _once(self, probe: Mapping[str, Any]) -> dict[str, Any]:
        kind = next((name for name in KINDS if probe.get(name) is not None), "")
        try:
            if not kind:
                return {"error": f"a probe is one of {', '.join(KINDS)}"}
            writes = bool(probe.get("writes"))
            if self.read_only and (writes or kind == "exec"):
                return {"error": "not asked in check mode"}
            return getattr(self, f"_{kind}")(probe[kind], writes)
        except StackError as error:
            return {"error": str(error)}
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one answer, the others are still wanted
            return {"error": " ".join(str(error).split()) or type(error).__name__}

    def _exec(self, wanted: Mapping[str, Any], _writes: bool) -> dict[str, Any]:
        answer = self.engine.execute(wanted["container"], [str(word) for word in wanted["argv"]])
        return {**answer, "stdout": truncate(answer["stdout"]), "stderr": truncate(answer["stderr"])}

    def _inspect(self, wanted: Mapping[str, Any], _writes: bool) -> dict[str, Any]:
        return without_values(self.engine.inspect(wanted["container"]))

    def _network(self, wanted: Mapping[str, Any], _writes: bool) -> dict[str, Any]:
        return self.engine.network(wanted["name"])

    def _engine(self, _wanted: Mapping[str, Any], _writes: bool) -> dict[str, Any]:
        return self.engine.get("/info") or {}

    def _http(self, wanted: Mapping[str, Any], _writes: bool) -> dict[str, Any]:
        import requests

        method = (wanted.get("method") or "GET").upper()
        if self.read_only and method not in ("GET", "HEAD"):
            return {"error": "not asked in check mode"}
        body = wanted.get("body")
        headers = {name: str(value) for name, value in (wanted.get("headers") or {}).items()}
        started = time.monotonic()
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(
                method,
                wanted["url"],
                headers=headers,
                json=body if isinstance(body, (Mapping, list)) else None,
                data=body.encode() if isinstance(body, str) else None,
                timeout=self.timeout,
                allow_redirects=False,
            )
        ms = round((time.monotonic() - started) * 1000)
        try:
            content: Any = json.loads(answer.text)
        except ValueError:
            content = truncate(answer.text)
        lowered = {name.lower(): value for name, value in answer.headers.items()}
        return {"status": answer.status_code, "headers": lowered, "body": content, "ms": ms}

    def _sql(self, wanted: Mapping[str, Any], writes: bool) -> dict[str, Any]:
        import psycopg2
        import psycopg2.extras

        login = {key: value for key, value in wanted["login"].items() if value is not None}
        started = time.monotonic()
        connection = psycopg2.connect(**login, connect_timeout=max(1, int(self.timeout)))
        try:
            connection.set_session(readonly=not writes, autocommit=True)
            with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, false)", (f"{int(self.timeout * 1000)}",))
                cursor.execute(wanted["query"])
                rows = [plain(dict(row)) for row in cursor.fetchall()] if cursor.description else []
                return {"rows": rows, "rowcount": cursor.rowcount, "ms": round((time.monotonic() - started) * 1000)}
        finally:
            connection.close()

    def _tcp(self, wanted: Mapping[str, Any], _writes: bool) -> dict[str, Any]:
        started = time.monotonic()
        try:
            with socket.create_connection((wanted["host"], int(wanted["port"])), self.timeout):
                return {"open": True, "ms": round((time.monotonic() - started) * 1000)}
        except OSError as error:
            return {"open": False, "reason": error.strerror or str(error)}

    def _listen(self, wanted: Mapping[str, Any], _writes: bool) -> dict[str, Any]:
        port = int(wanted["port"])
        return {"addresses": sorted({one["address"] for one in listening() if one["port"] == port})}

    def _edge(self, wanted: Mapping[str, Any], _writes: bool) -> dict[str, Any]:
        found = edge.problems_of(
            self.engine.get("/containers/json?all=1") or [],
            wanted["public"],
            internal=wanted.get("internal") or (),
            proxy=wanted.get("proxy") or "http://traefik:80",
            rules=wanted.get("rules"),
            cnames=wanted.get("cnames"),
        )
        return {"problems": [*(wanted.get("known") or []), *found], "hosts": [one["host"] for one in wanted["public"]]}

    def _service(self, wanted: Mapping[str, Any], _writes: bool) -> dict[str, Any]:
        return report_of(wanted["name"])

    def _file(self, wanted: Mapping[str, Any], _writes: bool) -> dict[str, Any]:
        try:
            mode = f"{os.stat(wanted['path']).st_mode & 0o7777:04o}"
            text = read_text(wanted["path"]) if wanted.get("texts") else ""
        except FileNotFoundError:
            return {"exists": False}
        return {"exists": True, "mode": mode, "lacks": [one for one in wanted.get("texts") or [] if one not in text]}


def mask(value: Any, secrets: set[str]) -> Any:
    """The same answer with every secret replaced, however deep."""
    if isinstance(value, str):
        return masked(value, secrets)
    if isinstance(value, Mapping):
        return {key: mask(item, secrets) for key, item in value.items()}
    return [mask(item, secrets) for item in value] if isinstance(value, list) else value


def answer(
    probes: Sequence[Mapping[str, Any]], *, timeout: float, workers: int, read_only: bool, path: Optional[str] = None
) -> list[dict[str, Any]]:
    """Everything that was asked, answered and masked."""
    prober = Prober(Engine(path, timeout), timeout, read_only)
    return mask(prober.ask_all(probes, workers), secrets_of(probes))

from __future__ import annotations

import datetime
import decimal
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live import probes
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live.probes import (
    Prober,
    mask,
    plain,
    secrets_of,
)


class FakeEngine:
    def __init__(self) -> None:
        self.log: list[str] = []
        self.lock = threading.Lock()

    def inspect(self, name: str) -> dict[str, Any]:
        config = {"Image": "valkey:8", "Env": ["PASSWORD=canary=1", "EMPTY=", "BARE"]}
        return {"Name": name, "Config": config} if name == "valkey" else {}

    def get(self, path: str) -> Any:
        return [] if path.startswith("/containers/json") else {"asked": path}

    def network(self, name: str) -> dict[str, Any]:
        raise StackError("the Docker engine does not answer")

    def execute(self, container: str, argv: list[str]) -> dict[str, Any]:
        with self.lock:
            self.log.append(f"{container} {' '.join(argv)}")
        if argv[0] == "slow":
            time.sleep(0.05)
        return {"rc": 0, "stdout": "x" * 30000, "stderr": "", "ms": 1}


class Server(BaseHTTPRequestHandler):
    hits: list[str] = []

    def do_GET(self) -> None:
        Server.hits.append(self.headers.get("Host", ""))
        late = self.path == "/late" and len(Server.hits) < 2
        body = b'{"key": "canary-7"}' if self.path != "/text" else b"plain canary-7"
        self.send_response(503 if late else 200)
        self.send_header("X-Seen", "yes")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.send_response(201)
        self.end_headers()
        self.wfile.write(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    Server.hits = []
    server = HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def ask(*probes: dict[str, Any], read_only: bool = False, engine: Any = None) -> list[dict[str, Any]]:
    return Prober(engine or FakeEngine(), 60.0, read_only).ask_all(probes)


def test_answers_come_in_the_order_of_the_questions_and_chains_keep_theirs() -> None:
    engine = FakeEngine()
    probes = [{"chain": "1", "exec": {"container": "a", "argv": [word]}} for word in ("slow", "second", "third")]
    probes.insert(1, {"chain": "2", "exec": {"container": "b", "argv": ["other"]}})
    assert len(ask(*probes, engine=engine)) == 4
    assert [line for line in engine.log if line.startswith("a")] == ["a slow", "a second", "a third"]


def test_the_engine_tells_of_itself() -> None:
    assert ask({"engine": {}}) == [{"asked": "/info"}]


def test_long_output_is_cut() -> None:
    assert len(ask({"exec": {"container": "a", "argv": ["x"]}})[0]["stdout"]) < 20100


def test_what_fails_is_an_answer() -> None:
    refused = socket.socket()
    refused.bind(("127.0.0.1", 0))
    port = refused.getsockname()[1]
    answers = ask(
        {"inspect": {"container": "gone"}},
        {"network": {"name": "n"}},
        {"http": {"url": f"http://127.0.0.1:{port}/"}},
        {"sql": {"login": {"host": "127.0.0.1", "port": port, "user": "u", "dbname": "d"}, "query": "SELECT 1"}},
        {"tcp": {"host": "127.0.0.1", "port": port}},
        {},
    )
    assert answers[0] == {}
    assert answers[1] == {"error": "the Docker engine does not answer"}
    assert "Connection refused" in answers[2]["error"]
    assert "Connection refused" in answers[3]["error"]
    assert answers[4]["open"] is False
    assert answers[5]["error"].startswith("a probe is one of exec, http")
    refused.close()


def test_the_edge_is_looked_at_in_one_question_and_tells_what_others_found() -> None:
    public = [{"name": "memory-gateway", "host": "memory.example.org", "port": 8090}]
    alone, told = ask({"edge": {"public": public}}, {"edge": {"public": public, "known": ["nobody is connected"]}})
    gone = "memory.example.org has no backend: container memory-gateway is not there"
    assert alone == {"problems": [gone], "hosts": ["memory.example.org"]}
    assert told["problems"] == ["nobody is connected", gone]


def test_listening_ports_are_seen() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        answers = ask({"listen": {"port": port}}, {"tcp": {"host": "127.0.0.1", "port": port}})
    assert answers[0] == {"addresses": ["127.0.0.1"]}
    assert answers[1]["open"] is True


def test_http_decodes_json_and_sends_the_host_header(url: str) -> None:
    as_json, as_text, posted = ask(
        {"chain": "h", "http": {"url": f"{url}/", "headers": {"Host": "memory.example.org"}}},
        {"chain": "h", "http": {"url": f"{url}/text"}},
        {"chain": "h", "http": {"url": url, "method": "POST", "body": {"a": 1}}},
    )
    assert (as_json["status"], as_json["body"]) == (200, {"key": "canary-7"})
    assert as_json["headers"]["x-seen"] == "yes"
    assert as_text["body"] == "plain canary-7"
    assert (posted["status"], posted["body"]) == (201, {"a": 1})
    assert Server.hits[0] == "memory.example.org"


def test_within_asks_again_until_it_holds(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "PAUSE", 0.01)
    (answer,) = ask({"http": {"url": f"{url}/late"}, "within": 60, "expect": {"status": 200}})
    assert answer["status"] == 200
    assert len(Server.hits) == 2


def test_check_mode_asks_nothing_that_could_write(url: str) -> None:
    engine = FakeEngine()
    answers = ask(
        {"exec": {"container": "a", "argv": ["x"]}},
        {"http": {"url": url, "method": "POST", "body": "x"}},
        {"writes": True, "sql": {"login": {}, "query": "DELETE"}},
        {"http": {"url": url}},
        read_only=True,
        engine=engine,
    )
    assert [answer.get("error") for answer in answers] == ["not asked in check mode"] * 3 + [None]
    assert engine.log == []


def test_secrets_are_masked_wherever_they_turn_up() -> None:
    secrets = secrets_of(
        [
            {"sql": {"login": {"password": "canary-1"}}},
            {"http": {"headers": {"X-N8N-API-KEY": "canary-2", "Host": "memory.example.org", "Authorization": ""}}},
            {"inspect": {"container": "x"}},
        ]
    )
    assert secrets == {"canary-1", "canary-2"}
    seen = mask({"Env": ["PASSWORD=canary-1"], "b": {"c": "xcanary-2x"}, "n": 3}, secrets)
    assert seen == {"Env": ["PASSWORD=***"], "b": {"c": "x***x"}, "n": 3}


def test_an_inspection_tells_the_names_of_the_environment_and_no_value() -> None:
    (answer,) = ask({"inspect": {"container": "valkey"}})
    config = {"Image": "valkey:8", "Env": ["PASSWORD=***", "EMPTY=***", "BARE=***"]}
    assert answer == {"Name": "valkey", "Config": config}


def test_rows_become_plain() -> None:
    day = datetime.datetime(2026, 1, 2, 3, 4, 5)
    assert plain({"a": decimal.Decimal("1.50"), "b": decimal.Decimal(3), "c": day, "d": (b"x", None)}) == {
        "a": 1.5,
        "b": 3,
        "c": "2026-01-02T03:04:05",
        "d": ["b'x'", None],
    }


def test_a_header_that_the_library_quotes_in_its_error_is_masked_too() -> None:
    probes_ = [{"http": {"url": "http://127.0.0.1:1/", "headers": {"api-key": "canary-1\n"}}}]
    answer = probes.answer(probes_, timeout=1, workers=1, read_only=False)[0]
    assert "error" in answer and "canary" not in str(answer)


def test_the_token_of_a_bearer_is_a_secret_of_its_own_and_the_longest_is_masked_first() -> None:
    secrets = secrets_of([{"http": {"headers": {"Authorization": "Bearer canary-1"}}}])
    assert secrets == {"Bearer canary-1", "canary-1"}
    assert mask("Bearer canary-1, canary-1", secrets) == "***, ***"


def test_a_file_is_told_without_what_is_in_it(tmp_path: Path) -> None:
    file = tmp_path / "SERVICE_INVENTORY.md"
    prober = Prober(FakeEngine())  # type: ignore[arg-type]
    assert prober.ask({"file": {"path": str(file)}}) == {"exists": False}
    file.write_text("**Status**: DEPRECATED\ncanary\n")
    file.chmod(0o640)
    asked = {"path": str(file), "texts": ["DEPRECATED", "Archive"]}
    assert prober.ask({"file": asked}) == {"exists": True, "mode": "0640", "lacks": ["Archive"]}

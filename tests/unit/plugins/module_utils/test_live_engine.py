from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import (
    ApiError,
    StackError,
    Unreachable,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live.engine import (
    Engine,
    engine_socket,
    split_stream,
)


def frame(kind: int, text: bytes) -> bytes:
    return struct.pack(">BxxxL", kind, len(text)) + text


def _request(connection: socket.socket) -> str:
    """The first line of a request that has been read to its end."""
    with connection.makefile("rb") as stream:
        lines = list(iter(stream.readline, b"\r\n"))
        lengths = [int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length")]
        stream.read(sum(lengths))
    return lines[0].decode().strip()


class FakeEngine(threading.Thread):
    """Answers one connection after another from a list of (status, body)."""

    def __init__(self, path: str, answers: list[tuple[int, bytes]]) -> None:
        super().__init__(daemon=True)
        self.asked: list[str] = []
        self._answers = answers
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(path)
        self._server.listen()

    def run(self) -> None:
        for status, body in self._answers:
            connection, _address = self._server.accept()
            with connection:
                self.asked.append(_request(connection))
                connection.sendall(b"HTTP/1.1 %d x\r\nConnection: close\r\n\r\n" % status + body)


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[tuple[Engine, FakeEngine]]:
    answers: list[tuple[int, bytes]] = []
    path = str(tmp_path / "docker.sock")
    server = FakeEngine(path, answers)
    yield Engine(path, timeout=60), server


def start(fake: tuple[Engine, FakeEngine], *answers: tuple[int, bytes]) -> Engine:
    fake[1]._answers.extend(answers)
    fake[1].start()
    return fake[0]


def test_what_is_not_there_is_empty(fake: tuple[Engine, FakeEngine]) -> None:
    engine = start(fake, (404, b'{"message":"no such container"}'), (404, b"{}"))
    assert engine.inspect("a/b") == {}
    assert engine.network("n") == {}
    assert fake[1].asked == ["GET /containers/a%2Fb/json HTTP/1.1", "GET /networks/n HTTP/1.1"]


def test_a_command_gives_both_streams_and_its_status(fake: tuple[Engine, FakeEngine]) -> None:
    engine = start(
        fake,
        (201, b'{"Id":"e1"}'),
        (200, frame(1, b"PO") + frame(2, b"oops\n") + frame(1, b"NG\n")),
        (200, json.dumps({"ExitCode": 3}).encode()),
    )
    answer = engine.execute("valkey", ["redis-cli", "ping"])
    assert answer.pop("ms") >= 0
    assert answer == {"rc": 3, "stdout": "PONG", "stderr": "oops"}


def test_a_command_in_no_container_is_one_sentence(fake: tuple[Engine, FakeEngine]) -> None:
    engine = start(fake, (404, b'{"message":"No such container: valkey"}'))
    with pytest.raises(StackError, match=r"^No such container: valkey$"):
        engine.execute("valkey", ["true"])


def test_a_refusal_carries_the_engines_words(fake: tuple[Engine, FakeEngine]) -> None:
    engine = start(fake, (500, b'{"message":"boom"}'))
    with pytest.raises(ApiError, match="GET /version answered 500: boom"):
        engine.get("/version")


def test_no_engine(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"does not answer on .*nowhere: No such file"):
        Engine(str(tmp_path / "nowhere")).get("/version")


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("", "/var/run/docker.sock"),
        ("unix:///run/user/1000/docker.sock", "/run/user/1000/docker.sock"),
        ("tcp://far:2375", "/var/run/docker.sock"),
    ],
)
def test_the_socket_follows_docker_host(monkeypatch: pytest.MonkeyPatch, host: str, path: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    assert engine_socket() == path


def test_a_cut_stream_is_taken_as_far_as_it_goes() -> None:
    assert split_stream(frame(1, b"abc")[:-1]) == ("ab", "")
    assert split_stream(b"") == ("", "")

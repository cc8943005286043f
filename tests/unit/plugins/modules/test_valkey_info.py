# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole module against a server on loopback that says what the script says."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Optional, Union

import pytest

from tests.support.run_module import ModuleFailed, run_module

INFO = """# Server\r
redis_version:7.2.4\r
server_name:valkey\r
valkey_version:8.1.1\r
uptime_in_seconds:60\r
# Memory\r
used_memory:1000\r
used_memory_rss:3000\r
used_memory_peak:2000\r
maxmemory:209715200\r
maxmemory_policy:allkeys-lru\r
# Persistence\r
loading:0\r
aof_enabled:1\r
aof_rewrite_in_progress:1\r
aof_last_bgrewrite_status:err\r
aof_last_write_status:ok\r
aof_current_size:88\r
rdb_last_bgsave_status:ok\r
rdb_changes_since_last_save:7\r
# Stats\r
evicted_keys:42\r
expired_keys:3\r
keyspace_hits:9\r
keyspace_misses:1\r
connected_clients:2\r
# Keyspace\r
db0:keys=10,expires=1,avg_ttl=0\r
db3:keys=5,expires=0,avg_ttl=0\r
"""
SETTINGS = {
    "maxmemory": "209715200",
    "maxmemory-policy": "allkeys-lru",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "client-output-buffer-limit": "normal 0 0 0 slave 268435456 67108864 60",
}
Reply = Union[bytes, float, None]


def bulk(text: str) -> bytes:
    content = text.encode()
    return b"$%d\r\n%s\r\n" % (len(content), content)


def usual(words: list[str]) -> Reply:
    """What a Valkey without a password answers."""
    if words[0] == "PING":
        return b"+PONG\r\n"
    if words[0] == "INFO":
        return bulk(INFO)
    if words[:2] == ["CONFIG", "GET"]:
        value = SETTINGS.get(words[2])
        return b"*0\r\n" if value is None else b"*2\r\n" + bulk(words[2]) + bulk(value)
    return f"-ERR unknown command '{words[0]}'\r\n".encode()


class Scripted(threading.Thread):
    """Answers each command as ``script`` says: bytes, seconds to say nothing, or None to hang up."""

    def __init__(self, script: Callable[[list[str]], Reply]) -> None:
        super().__init__(daemon=True)
        self.script = script
        self.heard: list[list[str]] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def run(self) -> None:
        connection, _peer = self.listener.accept()
        with contextlib.suppress(ConnectionError), connection, connection.makefile("rb") as file:
            while (words := self._command(file)) is not None:
                self.heard.append(words)
                reply = self.script(words)
                if reply is None:
                    return
                if isinstance(reply, float):
                    time.sleep(reply)
                    return
                connection.sendall(reply)

    @staticmethod
    def _command(file: Any) -> Optional[list[str]]:
        first = file.readline()
        if not first:
            return None
        words = []
        for _word in range(int(first[1:])):
            size = int(file.readline()[1:])
            words.append(file.read(size + 2)[:-2].decode())
        return words


@pytest.fixture
def server() -> Iterator[Callable[..., Scripted]]:
    running: list[Scripted] = []

    def serve(script: Callable[[list[str]], Reply] = usual) -> Scripted:
        running.append(Scripted(script))
        running[-1].start()
        return running[-1]

    yield serve
    for one in running:
        one.listener.close()


def ask(port: int, **params: Any) -> dict[str, Any]:
    return run_module("valkey_info", {"port": port, **params})


def refusal(port: int, **params: Any) -> str:
    with pytest.raises(ModuleFailed) as caught:
        ask(port, **params)
    return str(caught.value.result["msg"])


def test_what_a_server_is_and_does(server: Callable[..., Scripted]) -> None:
    one = server()
    began = time.monotonic()
    result = ask(one.port, pings=3)
    all_ms = (time.monotonic() - began) * 1000
    assert result["changed"] is False
    assert (result["server"], result["version"], result["uptime_seconds"]) == ("valkey", "8.1.1", 60)
    assert (result["keys"], result["clients"]) == (15, 2)
    assert result["memory"] == {
        "used_bytes": 1000, "peak_bytes": 2000, "rss_bytes": 3000, "max_bytes": 209715200, "policy": "allkeys-lru",
    }  # fmt: skip
    assert result["evictions"] == {"evicted_keys": 42, "expired_keys": 3, "hits": 9, "misses": 1}
    assert result["persistence"] == {
        "loading": False, "aof_enabled": True, "aof_last_write_ok": True, "aof_rewrite_in_progress": True,
        "aof_last_rewrite_ok": False, "aof_size_bytes": 88, "rdb_last_save_ok": True, "rdb_changes_since_save": 7,
    }  # fmt: skip
    ping = result["ping"]
    assert ping["count"] == 3 and 0 < ping["best_ms"] <= ping["median_ms"] <= ping["worst_ms"] < all_ms
    assert result["differences"] == []
    assert result["settings"] == {name: SETTINGS[name] for name in sorted(SETTINGS) if not name.startswith("client")}


def test_it_asks_and_writes_nothing(server: Callable[..., Scripted]) -> None:
    one = server()
    run_module("valkey_info", {"port": one.port}, check=True)
    assert {words[0] for words in one.heard} == {"PING", "INFO", "CONFIG"}
    assert all(words[1] == "GET" for words in one.heard if words[0] == "CONFIG")


@pytest.mark.parametrize(
    ("expected", "differences"),
    [
        ({"maxmemory": "200mb", "appendonly": True, "save": "", "appendfsync": "EverySec"}, []),
        ({"maxmemory": 209715200, "save": None}, []),
        ({"client-output-buffer-limit": "normal 0 0 0 slave 256mb 64mb 60"}, []),
        ({"maxmemory": "200m"}, ["maxmemory: wanted 200m, seen 209715200"]),
        ({"appendonly": False}, ["appendonly: wanted no, seen yes"]),
        ({"save": "3600 1"}, ["save: wanted 3600 1, seen nothing"]),
        ({"maxmemry": "200mb"}, ["maxmemry: the server has no such setting; is maxmemory meant?"]),
        (
            {"MaxMemory-Policy": "noeviction", "appendfsync": "always"},
            ["appendfsync: wanted always, seen everysec", "maxmemory-policy: wanted noeviction, seen allkeys-lru"],
        ),
    ],
)
def test_declared_settings_are_compared_by_what_they_mean(
    server: Callable[..., Scripted], expected: dict[str, Any], differences: list[str]
) -> None:
    assert ask(server().port, expected=expected)["differences"] == differences


def login(words: list[str]) -> Reply:
    if words[0] == "AUTH":
        right = words in (["AUTH", "planner", "s3cret-enough"], ["AUTH", "s3cret-enough"])
        return b"+OK\r\n" if right else b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
    return usual(words)


@pytest.mark.parametrize("user", [{}, {"username": "planner"}])
def test_login(server: Callable[..., Scripted], user: dict[str, str]) -> None:
    one = server(login)
    result = ask(one.port, password="s3cret-enough", **user)
    assert one.heard[0] == ["AUTH", *user.values(), "s3cret-enough"]
    assert "s3cret-enough" not in json.dumps(result)


def saying(*reply: Reply, to: str = "PING") -> Callable[[list[str]], Reply]:
    return lambda words: reply[0] if words[0] == to else usual(words)


@pytest.mark.parametrize(
    ("script", "params", "words"),
    [
        (saying(b"-NOAUTH Authentication required.\r\n"), {}, "wants a password; give it in password"),
        (login, {"password": "wrong-but-long"}, "does not take this username with this password"),
        (
            saying(b"-ERR AUTH <password> called without any password configured for the default user.\r\n", to="AUTH"),
            {"password": "needless-one"},
            "leave password out where the server has none",
        ),
        (
            saying(b"-NOPERM User planner has no permissions to run the 'config|get' command\r\n", to="CONFIG"),
            {},
            "does not let user default run CONFIG GET; let it with ACL SETUSER … +config|get",
        ),
        (saying(b"-LOADING Valkey is loading the dataset in memory\r\n"), {}, "is still loading its data from disk"),
        (saying(b"-DENIED Valkey is running in protected mode\r\n"), {}, "runs in protected mode"),
        (saying(b"HTTP/1.1 400 Bad Request\r\n\r\n<html>"), {}, "is not Valkey: it said 'HTTP/1.1 400 Bad Request'"),
        (saying(b"<html><body>" * 1000), {}, "is not Valkey: it said '<html><body><html>"),
        (saying(b"\x00\xff\x16\x03\r\n"), {}, "is not Valkey: it said"),
        (saying(b"$99999999999\r\n"), {}, "is not Valkey: it said '$99999999999'"),
        (saying(b"$x\r\n"), {}, "is not Valkey: it said '$x'"),
        (saying(b"*1\r\n" * 9), {}, "is not Valkey: it said '*1'"),
        (saying(None), {}, "closed the connection without an answer"),
        (saying(b"$50\r\nhalf", to="INFO"), {"timeout": 3}, "did not answer INFO within 3 s (timeout)"),
        (saying(60.0), {"timeout": 0.3}, "did not answer PING within 0.3 s (timeout)"),
        (saying(b"+OK\r\n", to="INFO"), {}, "its INFO names no version"),
        (saying(b"!odd\r\n", to="CONFIG"), {}, "answered what cannot be understood: it said '!odd'"),
        (saying(b"+OK\r\n", to="CONFIG"), {}, "answered CONFIG GET appendfsync with something else than pairs"),
        (saying(b"-ERR broken\r\n", to="INFO"), {}, "answered INFO with an error: ERR broken"),
    ],
)  # fmt: skip
def test_one_sentence_for_each_bad_answer(
    server: Callable[..., Scripted], script: Callable[[list[str]], Reply], params: dict[str, Any], words: str
) -> None:
    one = server(script)
    said = refusal(one.port, **params)
    assert words in said and f"127.0.0.1:{one.port}" in said and "\n" not in said
    assert str(params.get("password")) not in said


def test_a_server_that_dribbles_has_the_timeout_as_a_whole() -> None:
    all_of_it = 1000
    sent = []

    def dribble(listener: socket.socket) -> None:
        connection, _peer = listener.accept()
        with connection, contextlib.suppress(OSError):
            for byte in range(all_of_it):
                connection.sendall(b"+")
                sent.append(byte)
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as slow:
        threading.Thread(target=dribble, args=[slow], daemon=True).start()
        assert "did not answer PING within 0.5 s" in refusal(slow.getsockname()[1], timeout=0.5)
        assert len(sent) < all_of_it


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"port": 70000}, "port is 70000, which is no port"),
        ({"timeout": 0}, "timeout is 0, which is not above 0"),
        ({"pings": 0}, "pings is 0, which is not from 1 to 1000"),
        ({"username": "planner"}, "username is planner, but there is no password"),
        ({"expected": {"requirepass": "x"}}, "expected names requirepass, whose value is a secret"),
        ({"expected": {"max*": "x"}}, "expected names 'max*', which is no setting"),
        ({"expected": {"save": [1]}}, "expected has a list or a mapping for save"),
    ],
)
def test_mistakes_in_the_options_contact_nobody(params: dict[str, Any], words: str) -> None:
    assert words in refusal(**{"port": 1, **params})


def test_nobody_listens() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        port = deaf.getsockname()[1]
        assert f"Valkey at 127.0.0.1:{port} refuses the connection" in refusal(port)
    assert "cannot be reached" in refusal(port, host="no-such-host.invalid")

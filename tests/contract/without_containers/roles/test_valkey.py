# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What role valkey describes beside the specification's letter."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.playbook import Run, run_preflight
from tests.support.valkey import ROOT, described

RUN = ROOT / "roles/valkey/files/valkey-run.sh"
PASSWORD = "a/password: of 16"


def service(project: dict[str, Any]) -> dict[str, Any]:
    return project["definition"]["services"]["valkey"]


def file(project: dict[str, Any], path: str) -> dict[str, Any]:
    return {one["path"]: one for one in project["files"]}[path]


def test_no_users_by_default(tmp_path: Path) -> None:
    project = described(tmp_path)
    assert "--aclfile" not in service(project)["command"]
    assert [one["path"] for one in project["files"]] == ["valkey-run.sh"]


def test_a_password(tmp_path: Path) -> None:
    project = described(tmp_path, valkey_password=PASSWORD)
    assert service(project)["command"][-2:] == ["--aclfile", "/usr/local/etc/valkey/users.acl"]
    assert service(project)["volumes"][-1] == "./users.acl:/usr/local/etc/valkey/users.acl:ro"
    assert service(project)["healthcheck"]["test"] == ["CMD", "redis-cli", "ping"]
    users = file(project, "users.acl")
    assert (users["mode"], users["owner"]) == ("0400", 999)
    assert users["content"].splitlines() == [
        "user default on nopass resetkeys resetchannels -@all +ping +info +config|get",
        f"user planner on #{hashlib.sha256(PASSWORD.encode()).hexdigest()} ~* &* +@all",
    ]
    assert PASSWORD not in json.dumps(project)


def test_disabled_commands_take_along_what_would_give_them_back(tmp_path: Path) -> None:
    project = described(tmp_path, valkey_disabled_commands=["FLUSHALL", "config|set", "flushall"])
    refused = "-config|set -flushall -acl|setuser -acl|deluser -acl|load -acl|save"
    assert file(project, "users.acl")["content"] == f"user default on nopass ~* &* +@all {refused}\n"


def test_a_stop_has_time(tmp_path: Path) -> None:
    assert service(described(tmp_path))["stop_grace_period"] == "30s"


@pytest.mark.parametrize(("coming", "limit"), [(200, "200m"), (199, "448m"), (1024, "200m")])
def test_swap_that_the_same_run_brings_counts(tmp_path: Path, coming: int, limit: str) -> None:
    assert service(described(tmp_path, valkey_swap_coming_mb=coming))["mem_limit"] == limit


@pytest.mark.parametrize(
    ("asked", "updates", "memory_and_swap"),
    [
        pytest.param({}, "no", None, id="no swap"),
        pytest.param({"valkey_swap_coming_mb": 447}, "no", None, id="swap for the data, not for twice the data"),
        pytest.param({"valkey_swap_coming_mb": 448}, "yes", "648m", id="swap for twice the data"),
        pytest.param({"valkey_swap_coming_mb": 448, "valkey_synchronous_updates": False}, "no", None, id="not wanted"),
        pytest.param({"valkey_swap_coming_mb": 448, "valkey_memory_limit": "416m"}, "no", None, id="all in memory"),
        pytest.param({"valkey_swap_coming_mb": 448, "valkey_appendonly": False}, "no", None, id="nothing is written"),
        pytest.param({"valkey_synchronous_updates": True}, "yes", None, id="wanted in any case"),
        pytest.param(
            {"valkey_swap_coming_mb": 400, "valkey_maxmemory": "160mb", "valkey_memory_limit": "0.25g"},
            "yes", "624m", id="other numbers",
        ),
    ],
)  # fmt: skip
def test_updates_are_synchronous_where_the_limit_stands_by_swap(
    tmp_path: Path, asked: dict[str, Any], updates: str, memory_and_swap: str | None
) -> None:
    seen = service(described(tmp_path, **asked))
    assert seen["environment"]["SYNCHRONOUS_UPDATES"] == updates
    assert seen.get("memswap_limit") == memory_and_swap


def start(
    folder: Path,
    version: str = "Valkey server v=8.1.1 sha=00000000:0",
    appendonly: str = "yes",
    programs: Path = Path("/usr/bin"),
    **environment: str,
) -> tuple[int, str]:
    """The start script with a server that only says what it is, or that it was started."""
    server = folder / "bin/valkey-server"
    server.parent.mkdir(exist_ok=True)
    server.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "{version}" || echo started\n')
    server.chmod(0o755)
    command = ["sh", str(RUN), "valkey-server", "--save", "", "--appendonly", appendonly, "--dir", str(folder)]
    given = {"PATH": f"{folder}/bin:{programs}:/usr/bin:/bin", **environment}
    said = folder / "said"
    with said.open("w") as out:
        run = subprocess.Popen(command, env=given, stdout=out, stderr=out, start_new_session=True)
        code = run.wait(60)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)  # what looks for evictions has no server to end with here
    return code, said.read_text()


def append_only(folder: Path, head: bytes, name: str = "appendonly.aof.3.base.rdb") -> None:
    (folder / "appendonlydir").mkdir()
    (folder / "appendonlydir" / name).write_bytes(head + b"\xfa\x00rest")
    (folder / "appendonlydir/appendonly.aof.2.base.rdb").write_bytes(b"REDIS0099")
    (folder / "appendonlydir/appendonly.aof.manifest").write_text(
        "file appendonly.aof.2.base.rdb seq 2 type h\n"
        f"file {name} seq 3 type b\nfile appendonly.aof.3.incr.aof seq 3 type i\n"
    )


VALKEY_9 = "Valkey server v=9.1.2 sha=00000000:0"


@pytest.mark.parametrize(
    ("head", "version"),
    [
        (b"REDIS0011", "Valkey server v=8.1.1 sha=00000000:0"),
        (b"REDIS0009", VALKEY_9),
        (b"VALKEY080", VALKEY_9),
        (b"*2\r\n$6\r\nS", VALKEY_9),
        (b"", VALKEY_9),
        (b"REDIS0012", "Redis server v=8.0.2 sha=00000000:0"),
    ],
)
def test_what_can_be_read_is_started_with(tmp_path: Path, head: bytes, version: str) -> None:
    append_only(tmp_path, head)
    assert start(tmp_path, version) == (0, "started\n")


@pytest.mark.parametrize(
    ("head", "version", "words"),
    [
        (b"REDIS0012", "Valkey server v=8.1.1 sha=00000000:0", "Redis 7.4 or newer (RDB REDIS0012), and Valkey 8.1.1"),
        (b"REDIS0013", VALKEY_9, "Redis 7.4 or newer (RDB REDIS0013), and Valkey 9.1.2"),
        (b"REDIS0123", VALKEY_9, "Redis 7.4 or newer"),
        (b"VALKEY080", "Valkey server v=8.1.1 sha=00000000:0", "Valkey 9 or newer (RDB VALKEY080), and Valkey 8.1.1"),
    ],
)
def test_what_cannot_be_read_is_refused_before_the_start(tmp_path: Path, head: bytes, version: str, words: str) -> None:
    append_only(tmp_path, head)
    code, said = start(tmp_path, version)
    assert code == 78 and said.count("\n") == 1
    assert words in said and "appendonly.aof.3.base.rdb" in said and "move the file out of the volume" in said


def test_a_snapshot_counts_where_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").write_bytes(b"REDIS0012\xfa")
    code, said = start(tmp_path, appendonly="no")
    assert code == 78 and f"{tmp_path}/dump.rdb was written by Redis 7.4 or newer" in said


def test_a_snapshot_that_the_append_only_file_hides_is_told(tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").write_bytes(b"REDIS0011\xfa")
    code, said = start(tmp_path)
    assert code == 0 and "dump.rdb is not read" in said and said.endswith("started\n")


def test_a_snapshot_that_could_never_be_taken_over_is_not_passed_by_in_silence(tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").write_bytes(b"REDIS0012\xfa")
    code, said = start(tmp_path)
    assert code == 78 and f"{tmp_path}/dump.rdb was written by Redis 7.4 or newer" in said


def test_an_append_only_file_of_old(tmp_path: Path) -> None:
    (tmp_path / "appendonly.aof").write_bytes(b"REDIS0012\xfa")
    assert start(tmp_path)[0] == 78


def test_an_empty_folder(tmp_path: Path) -> None:
    assert start(tmp_path) == (0, "started\n")


@pytest.mark.parametrize("wanted", ["yes", "no"])
def test_a_file_system_without_marks_is_told_where_they_are_wanted(tmp_path: Path, wanted: str) -> None:
    perl = tmp_path / "perl/perl"
    perl.parent.mkdir()
    perl.write_text('#!/bin/sh\necho "/data: Inappropriate ioctl for device" >&2\nexit 25\n')
    perl.chmod(0o755)
    code, said = start(tmp_path, SYNCHRONOUS_UPDATES=wanted, programs=perl.parent)
    assert code == 0 and said.endswith("started\n")
    assert ("cannot be turned on" in said and "/data: Inappropriate ioctl" in said) == (wanted == "yes")


def held(appendonly: str | None, dump: str | None = None) -> dict[str, Any]:
    one = {"path": "appendonlydir/appendonly.aof.1.base.rdb", "format": appendonly} if appendonly else None
    return {
        "stack_host": {
            "valkey_files": {"appendonly": one, "dump": {"path": "dump.rdb", "format": dump} if dump else None}
        }
    }


BASE = "appendonlydir/appendonly.aof.1.base.rdb in the volume valkey_data"
UNREADABLE: dict[str, tuple[dict[str, Any], str]] = {
    "redis": (
        held("REDIS0012"),
        f"cannot read {BASE}: Redis 7.4 or newer wrote it (REDIS0012); go back to the image that",
    ),
    "newer": (
        held("VALKEY080"),
        f"valkey_image is valkey/valkey:8.1.1, which cannot read {BASE}: Valkey 9 or newer wrote",
    ),
    "redis-for-9": (
        held("REDIS0013") | {"valkey_image": "mirror:5000/valkey:9.1"},
        "mirror:5000/valkey:9.1, which cannot",
    ),
    "dump-of-redis": (held(None, "REDIS0012"), "cannot read dump.rdb in the volume valkey_data: Redis 7.4 or newer"),
    "no-log": (held("REDIS0009", "VALKEY080") | {"valkey_appendonly": False}, "cannot read dump.rdb in the volume"),
}
READABLE: dict[str, dict[str, Any]] = {
    "none": {"stack_host": {}},
    "older-redis": held("REDIS0011", "REDIS0099"),
    "newer-for-9": held("VALKEY080") | {"valkey_image": "valkey/valkey:9.1-alpine"},
    "newer-for-nobody-knows": held("VALKEY080") | {"valkey_image": "mirror:5000/valkey@sha256:0123"},
    "not-read": held("REDIS0099", "REDIS0011") | {"valkey_appendonly": False},
    "redis-itself": held("REDIS0012") | {"valkey_image": "redis:8.0"},
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Run:
    hosts = {**{name: variables for name, (variables, _words) in UNREADABLE.items()}, **READABLE}
    return run_preflight(tmp_path_factory.mktemp("valkey"), "valkey", hosts)


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_the_declared_server_cannot_read_is_told_before_anything_is_touched(told: Run, name: str) -> None:
    told.refuses(name, UNREADABLE[name][1])


@pytest.mark.parametrize("name", READABLE)
def test_one_that_it_can_read_or_that_nobody_knows_is_left_to_it(told: Run, name: str) -> None:
    assert "fatal:" not in told.of_host(name), told.output

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's password and disabled commands, on the server itself."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import valkey
from tests.support.containers import Container, docker
from tests.support.run_module import run_module

PASSWORD = "p/ss:w@rd of the tests %41"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the file of users belongs to the container's user")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    disabled = ["FLUSHALL", "keys", "CONFIG|SET", "Debug"]
    folder = tmp_path_factory.mktemp("described")
    return valkey.described(folder, valkey_password=PASSWORD, valkey_disabled_commands=disabled)


@pytest.fixture(scope="module")
def locked(
    container: Callable[..., Container], project: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Container:
    return valkey.ready(valkey.run(container, project, tmp_path_factory.mktemp("locked")))


def cli(one: Container, *words: str, login: bool = True) -> str:
    auth = ["--no-auth-warning", "--user", "planner", "--pass", PASSWORD] if login else []
    return docker("exec", one.name, "redis-cli", *auth, *words, check=False)


def test_who_logs_in_works_and_who_does_not_touches_no_key(locked: Container) -> None:
    assert cli(locked, "set", "a", "1") == "OK"
    assert cli(locked, "get", "a") == "1"
    for words in (["get", "a"], ["set", "a", "2"], ["flushdb"], ["acl", "list"], ["config", "set", "maxmemory", "1"]):
        assert cli(locked, *words, login=False).startswith("NOPERM"), words
    assert cli(locked, "ping", login=False) == "PONG"
    assert "used_memory" in cli(locked, "info", "memory", login=False)
    assert "allkeys-lru" in cli(locked, "config", "get", "maxmemory-policy", login=False)


@pytest.mark.parametrize(
    "words",
    [
        ["flushall"],
        ["keys", "*"],
        ["config", "set", "maxmemory", "1"],
        ["debug", "sleep", "0"],
        ["acl", "setuser", "planner", "+flushall"],
        ["eval", "return redis.call('flushall')", "0"],
    ],
)
def test_nobody_runs_what_is_disabled(locked: Container, words: list[str]) -> None:
    said = cli(locked, *words)
    assert any(word in said for word in ("NOPERM", "no permissions", "not allowed")), said
    assert cli(locked, "config", "get", "maxmemory").endswith("209715200")


def test_the_health_check_needs_no_secret(locked: Container) -> None:
    locked.wait(lambda: locked.inspect()["State"]["Health"]["Status"] == "healthy", 30)


def test_the_password_stands_nowhere(locked: Container, project: dict[str, Any]) -> None:
    for text in (json.dumps(project), json.dumps(locked.inspect()), locked.logs(), docker("top", locked.name)):
        assert PASSWORD not in text and "p/ss" not in text
    mode, owner = locked.exec("stat", "-c", "%a %U", "/usr/local/etc/valkey/users.acl").split()
    assert (mode, owner) == ("400", "valkey")


def test_the_address_for_the_services_logs_in(tmp_path: Path, locked: Container) -> None:
    play = valkey.PLAYBOOK.replace(
        "stack_projects | to_json", "[{'name': valkey_secret_url, 'definition': ''}] | to_json"
    )
    address = valkey.described(tmp_path, playbook=play, valkey_password=PASSWORD)["name"]
    assert address.endswith("@valkey:6379/0")
    inside = address.replace("@valkey:", "@127.0.0.1:")
    for words, answer in ((["ping"], "PONG"), (["set", "own", "1"], "OK"), (["get", "own"], "1")):
        assert docker("exec", locked.name, "redis-cli", "--no-auth-warning", "-u", inside, *words) == answer


def test_valkey_info_looks_with_and_without_it(locked: Container) -> None:
    port = locked.port(6379)
    assert run_module("valkey_info", {"port": port})["differences"] == []
    seen = run_module("valkey_info", {"port": port, "username": "planner", "password": PASSWORD})
    assert seen["persistence"]["aof_enabled"] is True


def test_commands_alone_are_disabled_without_a_password(container: Callable[..., Container], tmp_path: Path) -> None:
    project = valkey.described(tmp_path, valkey_disabled_commands=["FLUSHALL"])
    one = valkey.ready(valkey.run(container, project, tmp_path))
    assert cli(one, "set", "a", "1", login=False) == "OK"
    assert cli(one, "flushall", login=False).startswith("NOPERM")
    assert cli(one, "acl", "setuser", "default", "+@all", login=False).startswith("NOPERM")

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What valkey_info sees is what the server is, with and without a user of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.containers import Container, docker
from tests.support.run_module import ModuleFailed, run_module

ROLE = Path(__file__).resolve().parents[2] / "roles/valkey"
DEFAULTS = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
PASSWORD = "a-password-of-the-tests"
FLAGS = ["--maxmemory", "20mb", "--maxmemory-policy", "allkeys-lru", "--appendonly", "yes", "--save", ""]
USERS = f"""
ACL SETUSER looker on >{PASSWORD} -@all +ping +info +config|get
ACL SETUSER default on nopass resetkeys resetchannels -@all +ping +info
"""


@pytest.fixture(scope="module")
def valkey(container: Callable[..., Container]) -> Container:
    one = container(DEFAULTS["valkey_image"], ports=[6379], args=["valkey-server", *FLAGS, "--protected-mode", "no"])
    one.wait(lambda: docker("exec", one.name, "redis-cli", "ping", check=False) == "PONG")
    return one


def ask(valkey: Container, **params: Any) -> dict[str, Any]:
    return run_module("valkey_info", {"port": valkey.port(6379), **params})


def test_it_sees_what_is_there(valkey: Container) -> None:
    filled = ["valkey-benchmark", "-q", "-t", "set", "-n", "60000", "-r", "60000", "-d", "1000", "-P", "16"]
    docker("exec", valkey.name, *filled)
    expected = {"maxmemory": "20mb", "maxmemory-policy": "allkeys-lru", "appendonly": True, "save": ""}
    seen = ask(valkey, expected={**expected, "appendfsync": "always"})
    assert seen["differences"] == ["appendfsync: wanted always, seen everysec"]
    assert (seen["server"], seen["memory"]["max_bytes"]) == ("valkey", 20 * 1048576)
    assert seen["version"].startswith("8.1.")
    assert seen["evictions"]["evicted_keys"] > 0 and seen["keys"] > 0
    assert seen["evictions"]["evicted_keys"] == int(valkey.exec("sh", "-c", counter()))
    assert seen["persistence"]["aof_enabled"] and seen["persistence"]["aof_last_write_ok"]
    assert 0 < seen["ping"]["best_ms"] <= seen["ping"]["worst_ms"]


def counter() -> str:
    return "redis-cli info stats | tr -d '\\r' | sed -n s/^evicted_keys://p"


def test_users(valkey: Container) -> None:
    for line in USERS.strip().splitlines():
        assert valkey.exec("redis-cli", *line.split()) == "OK"
    with pytest.raises(ModuleFailed) as caught:
        ask(valkey)
    assert "does not let user default run CONFIG GET" in str(caught.value)
    with pytest.raises(ModuleFailed) as caught:
        ask(valkey, username="looker", password="not-the-password")
    assert "does not take this username with this password" in str(caught.value)
    seen = ask(valkey, username="looker", password=PASSWORD)
    assert seen["settings"]["appendonly"] == "yes" and PASSWORD not in json.dumps(seen)

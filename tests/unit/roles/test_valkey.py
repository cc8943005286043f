# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What role valkey describes beside the specification's letter."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.support.valkey import described

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

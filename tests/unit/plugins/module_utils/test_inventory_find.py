# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which sections are a service's alone, and what of a health command a document may tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._inventory_doc.deployed import (
    fields_of_containers,
)

from tests.support.run_module import run_module

ARCHON = {
    "name": "Archon",
    "containers": ["archon-server", "archon-ui", "archon-mcp"],
    "state": "deprecated",
    "date": "2025-12-01",
    "reason": "Replaced",
}
OTHER = "### 2. Coda\n**Container**: coda\n**Status**: Running\n"


def retired(path: Path, text: str) -> tuple[str, list[str]]:
    path.write_text(text)
    result = run_module("service_inventory", {"path": str(path), "services": [ARCHON], "last_updated": "2025-12-02"})
    after = path.read_text()
    again = run_module("service_inventory", {"path": str(path), "services": [ARCHON], "last_updated": "2025-12-02"})
    assert not again["changed"]
    return after, result["warnings"]


def test_a_section_with_a_live_container_in_it_is_not_deprecated(tmp_path: Path) -> None:
    live = "### 2. MCP servers\n**Container**: archon-mcp, coda-mcp\n**Status**: Running\n"
    after, warnings = retired(tmp_path / "i.md", f"### 1. Archon\n**Container**: archon-server\n\n{live}")
    assert after.endswith(live) and "DEPRECATED" in after
    assert warnings == [
        "section 'MCP servers' (line 4) has coda-mcp too and stays as it is; "
        "take the containers of Archon out of it by hand"
    ]


@pytest.mark.parametrize(
    "value", ["archon-server and archon-ui (old)", "`archon-ui`, `archon-mcp`", "archon-ui + archon-mcp"]
)
def test_a_section_of_nobody_else_is(tmp_path: Path, value: str) -> None:
    after, warnings = retired(tmp_path / "i.md", f"### 1. RAG\n**Container**: {value}\n**Status**: Running\n\n{OTHER}")
    assert "**Status**: DEPRECATED (2025-12-01)" in after and after.endswith(OTHER) and warnings == []


@pytest.mark.parametrize(
    "heading",
    [
        "1. Archon - RAG server",
        "1. Archon \u2013 RAG",
        "Archon \u2014 RAG",
        "Service 1: Archon",
        "1. Service: archon-ui",
        "Stack: Archon (old)",
    ],
)
def test_headings_with_more_than_the_name(tmp_path: Path, heading: str) -> None:
    after, _warnings = retired(tmp_path / "i.md", f"### {heading}\n**Status**: Running\n\n{OTHER}")
    assert after.startswith(f"### {heading}\n**Status**: DEPRECATED (2025-12-01)\n") and after.endswith(OTHER)


def health(test: list[str]) -> str:
    seen: dict[str, Any] = {"Name": "/x", "Config": {"Healthcheck": {"Test": test}}}
    return fields_of_containers([seen], ["Container", "Image", "Networks", "Limits", "Status", "Location", "Health"])[
        "Health"
    ]


@pytest.mark.parametrize(
    ("test", "told"),
    [
        (["CMD", "redis-cli", "-a", "SECRET word", "ping"], "redis-cli -a *** ping"),
        (["CMD-SHELL", "redis-cli -a SECRET ping | grep PONG"], "redis-cli -a *** ping | grep PONG"),
        (["CMD-SHELL", "redis-cli -a 'SEC RET' ping"], "redis-cli -a *** ping"),
        (["CMD-SHELL", "redis-cli --pass=SECRET ping"], "redis-cli --pass=*** ping"),
        (["CMD", "mysqladmin", "ping", "-pSECRET"], "mysqladmin ping -p***"),
        (["CMD", "mysqladmin", "ping", "--password=SECRET"], "mysqladmin ping --password=***"),
        (["CMD-SHELL", "PGPASSWORD=SECRET psql -c 'select 1'"], "PGPASSWORD=*** psql -c 'select 1'"),
        (["CMD-SHELL", "curl -u me:SECRET http://x"], "curl -u me:*** http://x"),
        (["CMD-SHELL", "curl http://me:SECRET@x/health"], "curl http://me:***@x/health"),
        (["CMD-SHELL", "curl -H 'Authorization: Bearer SECRET' x"], "curl -H 'Authorization: Bearer ***' x"),
        (["CMD-SHELL", 'redis-cli -a "$PASSWORD" ping'], 'redis-cli -a "$PASSWORD" ping'),
        (["CMD", "pg_isready", "-p", "5432"], "pg_isready -p 5432"),
        (["CMD-SHELL", "pg_isready -p 5432 -U postgres"], "pg_isready -p 5432 -U postgres"),
    ],
)  # fmt: skip
def test_a_health_command_tells_no_secret(test: list[str], told: str) -> None:
    assert health(test) == told


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Status: Running\n", "Status: DEPRECATED (2025-12-01)\n"),
        ("- status: Running  \n- Port: 1\n", "- status: DEPRECATED (2025-12-01)  \n- Port: 1\n- Reason: Replaced  \n"),
        (
            "| Field | Value |\n|---|---|\n| **Container** | archon-ui |\n| **Status** | Running |\n\nText.\n",
            "| Field | Value |\n|---|---|\n| **Container** | archon-ui |\n| **Status** | DEPRECATED (2025-12-01) |\n"
            "| **Reason** | Replaced |\n\nText.\n",
        ),
        (
            "| **Status** | Running |\n|---|---|\n| Port | 1 |\n",
            "| **Status** | DEPRECATED (2025-12-01) |\n|---|---|\n| **Reason** | Replaced |\n| Port | 1 |\n",
        ),
    ],
    ids=["plain", "list", "table", "header"],
)
def test_a_status_in_another_form_is_set_and_not_doubled(tmp_path: Path, before: str, after: str) -> None:
    changed, _warnings = retired(tmp_path / "i.md", f"### 1. Archon\n\n{before}\n{OTHER}")
    wanted = after if "Reason" in after else f"{after}Reason: Replaced\n"
    assert changed == f"### 1. Archon\n\n{wanted}\n{OTHER}"

"""The whole module, with psycopg2 replaced where the connection would be made; the rest is asked of a live server."""

from __future__ import annotations

from typing import Any

import psycopg2
import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations import files, session
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.drift import Difference
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.plan import Applied, Seen, standing

from tests.support.run_module import ModuleFailed, run_module

LOGIN = {"login_user": "n8n", "login_db": "n8ndb", "login_password": "hunter2"}
ONE = {"name": "001_a.sql", "sql": "SELECT 1;"}


def test_it_asks_for_a_connection_that_cannot_write(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def connect(**login: Any) -> None:
        asked.append(login)
        raise psycopg2.OperationalError("Connection refused")

    monkeypatch.setattr(session.psycopg2, "connect", connect)
    with pytest.raises(ModuleFailed, match="does not answer"):
        run_module("postgres_migration_info", {**LOGIN, "migrations": [ONE], "settings": {"app.mode": "a b"}})
    assert (
        asked[0]["options"]
        == '-c search_path="public" -c default_transaction_read_only=on -c lock_timeout=500ms -c app.mode=a\\ b'
    )


def test_a_setting_of_the_server_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModuleFailed, match="settings: search_path is no name of a setting of your own"):
        run_module("postgres_migration_info", {**LOGIN, "migrations": [ONE], "settings": {"search_path": "x"}})


def row(name: str, checksum: str, *, success: bool = True) -> Applied:
    version = None if name.startswith("R__") else int(name[:3])
    return Applied(name, version, checksum, "2026", "n8n", 5, success=success)


def test_how_things_stand() -> None:
    given = files.build(
        [{"name": name, "sql": "SELECT 1"} for name in ("001_a.sql", "002_b.sql", "004_d.sql", "R__v.sql")]
    )
    seen = Seen(
        [row("001_a.sql", given[0].checksum), row("002_b.sql", "edited"), row("003_c.sql", "x"), row("R__v.sql", "old")]
        + [row("004_d.sql", "x", success=False)],
        due=(("R__v.sql", "something is due"),),
        kept=("something is kept",),
        drift=(Difference("table t is missing"),),
    )
    assert standing(seen, given) == {
        "applied": ["001_a.sql", "002_b.sql", "003_c.sql", "R__v.sql"],
        "pending": ["004_d.sql", "R__v.sql"],
        "unfinished": ["004_d.sql"],
        "edited": ["002_b.sql"],
        "unknown": ["003_c.sql"],
        "due": ["something is due"],
        "kept": ["something is kept"],
        "drift": ["table t is missing"],
        "warnings": [
            "003_c.sql ran on 2026 but its file is not among those given; restore it, or delete its row from the"
            " history if it is gone for good"
        ],
    }
    assert standing(Seen(notes=("not compared",)), given)["drift"] is None

"""Who may do what with the tables: the role of the services, and everybody."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.contract import postgres
from tests.contract.postgres import Database

MIGRATIONS = Path(__file__).resolve().parents[2] / "roles" / "schema" / "files" / "migrations"
SHIPPED = [{"name": path.name, "sql": path.read_text()} for path in sorted(MIGRATIONS.glob("*.sql"))]
ROLE = "planner_memory_app"


def migrate(database: Database, **more: Any) -> dict[str, Any]:
    return postgres.migrate(database, *SHIPPED, **more)


def test_the_runtime_role_may_use_rows_and_nothing_else(database: Database) -> None:
    role = f"{ROLE}_{database.name}"
    settings = {"planner_memory.runtime_role": role}
    try:
        migrate(database, settings=settings)
        assert database.rows(
            "SELECT rolcanlogin, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = %s", (role,)
        ) == [(False, False, False)]
        with database.undone() as rows:
            rows(f"SET ROLE {role}")
            rows("INSERT INTO events (event_type, event_source, payload) VALUES ('a', 'b', '{}') RETURNING id")
            rows("INSERT INTO plans (plan_title, intent, sop) VALUES ('p', 'i', '{}')")
            rows("UPDATE plans SET status = 'active'")
            rows("INSERT INTO graph_nodes (node_type, node_id) VALUES ('t', 'a')")
            rows("DELETE FROM graph_nodes")
            rows("SELECT * FROM execution_run_stats, get_graph_neighbors('a')")
            assert rows("SELECT count(*) FROM prompt_templates") == [(5,)]
        for forbidden in (
            "DELETE FROM events",
            "UPDATE prompt_templates SET content = 'x'",
            "DROP TABLE plans",
            "ALTER TABLE plans ADD COLUMN x int",
            "TRUNCATE graph_nodes",
            "SELECT * FROM schema_migrations",
        ):
            with pytest.raises(psycopg2.Error) as caught, database.undone() as rows:
                rows(f"SET ROLE {role}")
                rows(forbidden)
            assert caught.value.pgcode == "42501", forbidden
        assert migrate(database, settings=settings)["changed"] is False
    finally:
        database.rows(f"DROP OWNED BY {role}")
        database.rows(f"DROP ROLE {role}")


def test_rights_that_were_lost_are_given_again_and_more_than_needed_is_told(database: Database) -> None:
    role = f"{ROLE}_{database.name}"
    settings = {"planner_memory.runtime_role": role}
    try:
        migrate(database, settings=settings)
        database.rows("ALTER SEQUENCE plans_id_seq RENAME TO numbers")
        database.rows(f"REVOKE INSERT ON events FROM {role}; REVOKE USAGE ON SEQUENCE numbers FROM {role}")
        database.rows(f"GRANT DELETE ON events TO {role}")
        lost = f"(role {role} lacks INSERT on events; role {role} lacks USAGE on numbers)"
        for check in (True, False):
            result = migrate(database, settings=settings, check=check)
            assert result["actions"] == [f"apply R__runtime_role.sql {lost}"]
            assert f"role {role} has DELETE on events beyond what it needs, and keeps it" in result["warnings"]
        assert migrate(database, settings=settings)["changed"] is False
        database.rows("DROP TABLE events")
        checked = migrate(database, settings=settings, on_drift="repair", check=True)
        repaired = migrate(database, settings=settings, on_drift="repair")
        assert checked["actions"] == repaired["actions"]
        with database.undone() as rows:
            rows(f"SET ROLE {role}")
            rows("INSERT INTO events (event_type, event_source, payload) VALUES ('a', 'b', '{}')")
        assert migrate(database, settings=settings, on_drift="fail")["changed"] is False
    finally:
        database.rows(f"DROP OWNED BY {role}")
        database.rows(f"DROP ROLE {role}")


OPENED = {
    "GRANT ALL ON events TO PUBLIC": "DELETE, INSERT, .*UPDATE on events; REVOKE",
    "GRANT UPDATE (status) ON plans TO PUBLIC": r"UPDATE \(status\) on plans; REVOKE UPDATE \(status\) ON TABLE plans",
    "GRANT USAGE ON SEQUENCE plans_id_seq TO PUBLIC": "USAGE on plans_id_seq; REVOKE USAGE ON SEQUENCE",
    "GRANT CREATE ON SCHEMA public TO PUBLIC": "CREATE on public; REVOKE CREATE ON SCHEMA public FROM PUBLIC",
}


@pytest.mark.parametrize("role", ["", ROLE], ids=["no role", "a role"])
def test_what_everybody_may_do_is_told_with_the_way_out(database: Database, role: str) -> None:
    settings = {"planner_memory.runtime_role": role and f"{role}_{database.name}"}
    try:
        assert migrate(database, settings=settings)["kept"] == []
        for grant in OPENED:
            database.rows(grant)
        result = migrate(database, settings=settings)
        assert result["changed"] is False
        assert len(result["kept"]) == len(OPENED)
        for words in OPENED.values():
            (told,) = [one for one in result["kept"] if re.search(f"PUBLIC, which is every user .* has {words}", one)]
            assert told in result["warnings"]
            database.rows(re.search("REVOKE .* FROM PUBLIC", told)[0])  # type: ignore[index]
        assert migrate(database, settings=settings)["kept"] == []
    finally:
        if role:
            database.rows(f"DROP OWNED BY {role}_{database.name}; DROP ROLE {role}_{database.name}")

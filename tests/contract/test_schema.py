"""Requirement 2 on a live PostgreSQL: each column, index and rule from the catalog, and the role's own proofs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live.engine import Engine
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live.match import unmatched
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live.probes import Prober

from tests.contract.postgres import Database, Server
from tests.support.run_module import ModuleFailed, run_module

ROLE = Path(__file__).resolve().parents[2] / "roles" / "schema"
MIGRATIONS = ROLE / "files" / "migrations"
SCHEMA = {"name": "002_planner_memory_schema.sql", "sql": (MIGRATIONS / "002_planner_memory_schema.sql").read_text()}


@pytest.fixture(scope="module")
def database(live: Server) -> Iterator[Database]:
    with live.database() as database:
        run_module("postgres_migration", {**database.login, "directory": str(MIGRATIONS)})
        yield database


COLUMNS = {
    "events": """
        id integer 32 NO nextval | event_type character varying 100 NO - | event_source character varying 50 NO -
        client_id integer 32 YES - | payload jsonb - NO - | metadata jsonb - YES '{}'
        created_at timestamp without time zone - YES now()""",
    "plans": """
        id integer 32 NO nextval | plan_title character varying 500 NO - | intent text - NO - | sop jsonb - NO -
        client_id integer 32 YES - | status character varying 20 YES 'draft' | metadata jsonb - YES '{}'
        created_at timestamp without time zone - YES now() | updated_at timestamp without time zone - YES now()""",
    "scheduler_runs": """
        id integer 32 NO nextval | plan_id integer 32 YES - | schedule_blocks jsonb - YES - | client_id integer 32 YES -
        status character varying 20 YES 'scheduled' | metadata jsonb - YES '{}'
        created_at timestamp without time zone - YES now()""",
    "graph_nodes": """
        id integer 32 NO nextval | node_type character varying 50 NO - | node_id character varying 255 NO -
        properties jsonb - YES '{}' | created_at timestamp without time zone - YES now()
        updated_at timestamp without time zone - YES now()""",
    "graph_edges": """
        id integer 32 NO nextval | from_node_id character varying 255 NO - | to_node_id character varying 255 NO -
        edge_type character varying 50 NO - | properties jsonb - YES '{}'
        created_at timestamp without time zone - YES now()""",
    "prompt_templates": """
        id integer 32 NO nextval | template_name character varying 100 NO - | template_type character varying 50 NO -
        content text - NO - | version character varying 20 YES 'v1' | metadata jsonb - YES '{}'
        created_at timestamp without time zone - YES now()""",
    "execution_runs": """
        id integer 32 NO nextval | run_id character varying 100 NO - | run_type character varying 20 NO -
        workflow_id character varying 255 YES - | process_template_id character varying 255 YES -
        task_id character varying 255 YES - | project_id character varying 255 YES -
        engagement_id character varying 255 YES - | executed_by_person_id character varying 255 YES -
        started_at timestamp without time zone - YES - | ended_at timestamp without time zone - YES -
        actual_hours numeric 5,2 YES - | outcome_notes text - YES - | metadata jsonb - YES '{}'
        created_at timestamp without time zone - YES now()""",
}

INDEXES = {
    "events": {("event_type", "ASC"), ("event_source", "ASC"), ("created_at", "DESC")},
    "plans": {("client_id", "ASC"), ("status", "ASC")},
    "scheduler_runs": {("plan_id", "ASC"), ("client_id", "ASC")},
    "execution_runs": {
        ("task_id", "ASC"),
        ("project_id", "ASC"),
        ("process_template_id", "ASC"),
        ("run_type", "ASC"),
        ("started_at", "DESC"),
    },
}


@pytest.mark.parametrize("table", COLUMNS)
def test_columns(database: Database, table: str) -> None:
    seen = database.rows(
        """SELECT concat_ws(' ', column_name, data_type,
               coalesce(character_maximum_length::text,
                        CASE data_type WHEN 'numeric' THEN numeric_precision || ',' || numeric_scale
                                       WHEN 'integer' THEN numeric_precision::text END, '-'),
               is_nullable,
               CASE WHEN column_default LIKE 'nextval%%' THEN 'nextval'
                    ELSE coalesce(split_part(column_default, '::', 1), '-') END)
           FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position""",
        (table,),
    )
    wanted = [part.strip() for line in COLUMNS[table].strip().splitlines() for part in line.split("|")]
    assert [row[0] for row in seen] == wanted


@pytest.mark.parametrize("table", INDEXES)
def test_indexes_and_their_direction(database: Database, table: str) -> None:
    seen = database.rows(
        """SELECT a.attname, CASE WHEN i.indoption[0] & 1 = 1 THEN 'DESC' ELSE 'ASC' END
           FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
           WHERE i.indrelid = %s::regclass AND i.indnatts = 1 AND NOT i.indisunique""",
        (table,),
    )
    assert set(seen) == INDEXES[table]


def test_only_the_seven_tables_the_history_and_the_clients(database: Database) -> None:
    seen = {row[0] for row in database.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert seen == {*COLUMNS, "client_profiles", "schema_migrations"}


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        ("INSERT INTO events (event_type, event_source, payload, client_id) VALUES ('a', 'b', '{}', 999)", "23503"),
        ("INSERT INTO events (event_type, event_source) VALUES ('a', 'b')", "23502"),
        ("INSERT INTO plans (plan_title, intent, sop, status) VALUES ('a', 'b', '{}', 'lost')", "23514"),
        ("INSERT INTO scheduler_runs (status) VALUES ('lost')", "23514"),
        ("INSERT INTO execution_runs (run_id, run_type) VALUES ('x', 'Other')", "23514"),
        ("INSERT INTO execution_runs (run_id, run_type) VALUES ('x', 'Process'), ('x', 'Touchpoint')", "23505"),
        ("INSERT INTO execution_runs (run_id, run_type, actual_hours) VALUES ('x', 'Process', 1000)", "22003"),
        ("INSERT INTO graph_edges (from_node_id, to_node_id, edge_type) VALUES ('x', 'y', 'z')", "23503"),
        ("INSERT INTO graph_nodes (node_type, node_id) VALUES ('t', 'x'), ('t', 'x')", "23505"),
        (
            "INSERT INTO prompt_templates (template_name, template_type, content) VALUES ('sop_generator', 'a', 'b')",
            "23505",
        ),
    ],
)
def test_what_the_tables_refuse(database: Database, statement: str, sqlstate: str) -> None:
    with pytest.raises(psycopg2.Error) as caught:
        database.rows(statement)
    assert caught.value.pgcode == sqlstate


def test_a_node_takes_its_edges_along_and_a_plan_its_runs(database: Database) -> None:
    with database.undone() as rows:
        rows("INSERT INTO graph_nodes (node_type, node_id) VALUES ('t', 'a'), ('t', 'b')")
        rows("INSERT INTO graph_edges (from_node_id, to_node_id, edge_type) VALUES ('a', 'b', 'x'), ('b', 'a', 'x')")
        rows("DELETE FROM graph_nodes WHERE node_id = 'a'")
        assert rows("SELECT count(*) FROM graph_edges") == [(0,)]
        rows("INSERT INTO plans (plan_title, intent, sop) VALUES ('p', 'i', '{}')")
        rows("INSERT INTO scheduler_runs (plan_id) SELECT id FROM plans")
        rows("DELETE FROM plans")
        assert rows("SELECT count(*) FROM scheduler_runs") == [(0,)]


def test_neighbours_both_ways_a_loop_once_in_a_stable_order(database: Database) -> None:
    with database.undone() as rows:
        rows("INSERT INTO graph_nodes (node_type, node_id) SELECT 't', unnest(ARRAY['a', 'b', 'Z', 'c'])")
        rows(
            """INSERT INTO graph_edges (from_node_id, to_node_id, edge_type) VALUES
               ('c', 'a', 'x'), ('a', 'c', 'x'), ('a', 'a', 'x'), ('a', 'b', 'x'), ('a', 'Z', 'x'), ('b', 'c', 'far')"""
        )
        assert rows("SELECT * FROM get_graph_neighbors('a')") == [
            ("Z", "x", "outgoing"),
            ("a", "x", "outgoing"),
            ("b", "x", "outgoing"),
            ("c", "x", "outgoing"),
            ("c", "x", "incoming"),
        ]
        assert rows("SELECT * FROM get_graph_neighbors('nobody')") == []


def test_five_prompts_that_introduce_what_they_are_given(database: Database) -> None:
    seen = database.rows(
        "SELECT template_name, template_type, version, metadata, content FROM prompt_templates ORDER BY id"
    )
    names = ["sop_generator", "sop_generator_manifold", "schedule_optimizer", "daily_reflection", "weekly_review"]
    assert [row[:3] for row in seen] == [(name, "system", "v1") for name in names]
    assert seen[1][3] == {
        "analysis_scope": "full",
        "gentleness": "balanced",
        "math_depth": "operational",
        "position_awareness": True,
        "option_count": 3,
    }
    for row in seen:
        introduced = row[4].split("# How", 1)[0]
        assert set(re.findall(r"{{(\w+)}}", row[4])) == set(re.findall(r"{{(\w+)}}", introduced)) | set(row[3])


def test_what_was_made_by_hand_stays(live: Server) -> None:
    with live.database() as database:
        database.rows("CREATE TABLE client_profiles (id SERIAL PRIMARY KEY, company TEXT)")
        database.rows(
            """CREATE TABLE prompt_templates (id SERIAL PRIMARY KEY, template_name VARCHAR(100) UNIQUE NOT NULL,
               template_type VARCHAR(50) NOT NULL, content TEXT NOT NULL, version VARCHAR(20) DEFAULT 'v1',
               created_at TIMESTAMP DEFAULT now())"""
        )
        database.rows(
            "INSERT INTO prompt_templates (template_name, template_type, content) VALUES ('weekly_review', 'mine', 'x')"
        )
        run_module(
            "postgres_migration", {**database.login, "migrations": [SCHEMA], "borrowed_tables": ["client_profiles"]}
        )
        assert database.rows("SELECT content FROM prompt_templates WHERE template_name = 'weekly_review'") == [("x",)]
        assert database.rows("SELECT count(*), max(id) FROM prompt_templates") == [(5, 5)]
        columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'client_profiles'"
        assert database.rows(columns) == [(2,)]


def test_missing_clients_are_an_error_with_the_way_out(live: Server) -> None:
    with live.database() as database:
        for check in (True, False):
            with pytest.raises(ModuleFailed, match=r"client_profiles does not exist.*schema_baseline"):
                run_module("postgres_migration", {**database.login, "migrations": [SCHEMA]}, check=check)
        assert database.rows("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def checks(database: Database) -> list[dict[str, Any]]:
    loader = DataLoader()
    variables = {
        name: value
        for part in ("defaults", "vars")
        for name, value in loader.load_from_file(str(ROLE / part / "main.yml"), trusted_as_template=True).items()
    }
    variables.update({f"schema_{name}": value for name, value in database.login.items()})
    tasks = loader.load_from_file(str(ROLE / "tasks" / "verify.yml"), trusted_as_template=True)
    return Templar(loader, variables).template(tasks[0]["bestviable.planner_memory.spec_check"]["checks"])


def test_the_role_proves_every_scenario_and_leaves_nothing(database: Database) -> None:
    prober = Prober(Engine())
    found = checks(database)
    assert [check["id"] for check in found] == [f"2.{number}" for number in range(1, 8)]
    for check in found:
        for writes, probe in [(False, one) for one in check["probes"]] + [
            (True, one) for one in check.get("active_probes", [])
        ]:
            answer = prober.ask({**probe, "writes": writes})
            assert "error" not in answer, (check["id"], answer)
            assert unmatched(answer, probe["expect"]) == [], check["id"]
    assert database.rows("SELECT (SELECT count(*) FROM graph_nodes), (SELECT count(*) FROM execution_runs)") == [(0, 0)]


def test_the_role_takes_values_in_another_order_for_the_same_rule(database: Database) -> None:
    with database.server.database(template=database.name) as other:
        for table, column, values in (
            ("plans", "status", "'completed', 'active', 'draft', 'scheduled'"),
            ("scheduler_runs", "status", "'failed', 'completed', 'scheduled'"),
            ("execution_runs", "run_type", "'Touchpoint', 'Process'"),
        ):
            name = f"{table}_{column}_check"
            other.rows(f"ALTER TABLE {table} DROP CONSTRAINT {name}, ADD CHECK ({column} IN ({values}))")
        for check in checks(other):
            for probe in check["probes"]:
                assert unmatched(Prober(Engine()).ask(probe), probe["expect"]) == [], check["id"]


@pytest.mark.parametrize("grant", ["ALL", "SELECT (id)", "TRUNCATE"])
def test_the_role_sees_what_everybody_may_do(database: Database, grant: str) -> None:
    with database.server.database(template=database.name) as opened:
        for table in COLUMNS:
            opened.rows(f"GRANT {grant} ON {table} TO PUBLIC")
        wrong = [
            words
            for check in checks(opened)
            for probe in check["probes"]
            for words in unmatched(Prober(Engine()).ask(probe), probe["expect"])
        ]
    assert len(wrong) == len(COLUMNS)
    assert all(words.startswith("rows/0/everybody: wanted nothing, seen ") for words in wrong), wrong


def test_the_role_sees_rules_that_do_not_hold(database: Database) -> None:
    """Each is violated and undone; a rule that is gone is seen although the catalog is not asked."""
    with database.server.database(template=database.name) as damaged:
        damaged.rows("ALTER TABLE events ALTER COLUMN payload DROP NOT NULL")
        damaged.rows("ALTER TABLE plans DROP CONSTRAINT plans_status_check")
        damaged.rows("ALTER TABLE graph_edges DROP CONSTRAINT graph_edges_from_node_id_to_node_id_edge_type_key")
        damaged.rows("ALTER TABLE execution_runs DROP CONSTRAINT execution_runs_run_type_check")
        prober = Prober(Engine())
        wrong = [
            check["id"]
            for check in checks(damaged)
            for probe in check.get("active_probes", [])
            if unmatched(prober.ask({**probe, "writes": True}), probe["expect"])
        ]
        assert damaged.rows("SELECT (SELECT count(*) FROM plans), (SELECT count(*) FROM graph_nodes)") == [(0, 0)]
    assert wrong == ["2.1", "2.2", "2.3", "2.6"]


def test_the_role_sees_what_is_wrong(database: Database) -> None:
    with database.server.database(template=database.name) as damaged:
        damaged.rows("DROP INDEX idx_events_created_at")
        damaged.rows("CREATE INDEX idx_events_created_at ON events (created_at)")
        damaged.rows("ALTER TABLE plans DROP CONSTRAINT plans_status_check")
        damaged.rows("ALTER TABLE graph_edges ALTER COLUMN edge_type TYPE text")
        damaged.rows("UPDATE prompt_templates SET metadata = '{}' WHERE template_name = 'sop_generator_manifold'")
        damaged.rows("DROP FUNCTION get_graph_neighbors")
        damaged.rows("DROP TABLE execution_runs CASCADE")
        prober = Prober(Engine())
        wrong = [
            check["id"]
            for check in checks(damaged)
            if any(
                "error" in answer or unmatched(answer, probe["expect"])
                for probe in check["probes"]
                for answer in [prober.ask(probe)]
            )
        ]
    assert wrong == [f"2.{number}" for number in range(1, 8)]

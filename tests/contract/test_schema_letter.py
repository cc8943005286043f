"""The tables against the specification's own words: what it lists is parsed here, what is there the catalog says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.postgres import Database, Server
from tests.support.run_module import run_module

MIGRATIONS = Path(__file__).resolve().parents[2] / "roles" / "schema" / "files" / "migrations"

# Copied from scenarios 2.1 to 2.6, and for the seventh table from the notes beside them.
COLUMNS = {
    "events": "id SERIAL PRIMARY KEY, event_type VARCHAR(100), event_source VARCHAR(50), client_id INTEGER,"
    " payload JSONB, metadata JSONB, created_at TIMESTAMP",
    "plans": "id SERIAL PRIMARY KEY, plan_title VARCHAR(500), intent TEXT, sop JSONB, client_id INTEGER,"
    " status VARCHAR(20) DEFAULT 'draft', metadata JSONB, created_at TIMESTAMP, updated_at TIMESTAMP",
    "graph_nodes": "id SERIAL PRIMARY KEY, node_type VARCHAR(50), node_id VARCHAR(255) UNIQUE, properties JSONB,"
    " created_at TIMESTAMP, updated_at TIMESTAMP",
    "graph_edges": "id SERIAL PRIMARY KEY, from_node_id VARCHAR(255) REFERENCES graph_nodes(node_id),"
    " to_node_id VARCHAR(255) REFERENCES graph_nodes(node_id), edge_type VARCHAR(50), properties JSONB,"
    " created_at TIMESTAMP",
    "execution_runs": "id SERIAL PRIMARY KEY, run_id VARCHAR(100) UNIQUE, run_type VARCHAR(20),"
    " workflow_id VARCHAR(255), process_template_id VARCHAR(255), task_id VARCHAR(255), project_id VARCHAR(255),"
    " engagement_id VARCHAR(255), executed_by_person_id VARCHAR(255), started_at TIMESTAMP, ended_at TIMESTAMP,"
    " actual_hours DECIMAL(5,2),"
    " outcome_notes TEXT, metadata JSONB, created_at TIMESTAMP",
    "scheduler_runs": "id SERIAL PRIMARY KEY, plan_id INTEGER REFERENCES plans(id) ON DELETE CASCADE,"
    " schedule_blocks JSONB, client_id INTEGER, status VARCHAR(20) DEFAULT 'scheduled', metadata JSONB DEFAULT '{}',"
    " created_at TIMESTAMP DEFAULT now()",
    "prompt_templates": "id SERIAL PRIMARY KEY, template_name VARCHAR(100) UNIQUE NOT NULL,"
    " template_type VARCHAR(50) NOT NULL, content TEXT NOT NULL, version VARCHAR(20) DEFAULT 'v1',"
    " created_at TIMESTAMP, metadata JSONB",
}
INDEXES = {
    "events": ["(event_type)", "(event_source)", "(created_at DESC)"],
    "plans": ["(client_id)", "(status)"],
    "execution_runs": ["(task_id)", "(project_id)", "(process_template_id)", "(run_type)", "(started_at DESC)"],
    "scheduler_runs": ["(plan_id)", "(client_id)"],
}
ALLOWED = {
    ("plans", "status"): ("draft", "scheduled", "active", "completed"),
    ("execution_runs", "run_type"): ("Process", "Touchpoint"),
    ("scheduler_runs", "status"): ("scheduled", "completed", "failed"),
}
MEANT = {
    "events": "event_type event_source payload",
    "plans": "plan_title intent sop",
    "graph_nodes": "node_type node_id",
    "graph_edges": "from_node_id to_node_id edge_type",
}
KINDS = {
    "SERIAL": "integer",
    "INTEGER": "integer",
    "TEXT": "text",
    "JSONB": "jsonb",
    "TIMESTAMP": "timestamp without time zone",
}
ITEM = re.compile(r"(\w+) ([A-Z]+(?:\([\d,]+\))?)(.*)")


@pytest.fixture(scope="module")
def database(live: Server) -> Iterator[Database]:
    with live.database() as database:
        run_module("postgres_migration", {**database.login, "directory": str(MIGRATIONS)})
        yield database


def listed(table: str) -> list[tuple[str, str, str]]:
    """Name, type as the server writes it, and the rest of each column that the specification lists."""
    found = []
    for item in re.split(r", (?=[a-z_]+ [A-Z])", COLUMNS[table]):
        name, kind, rest = ITEM.fullmatch(item).groups()  # type: ignore[union-attr]
        kind = KINDS.get(kind) or kind.replace("VARCHAR", "character varying").replace("DECIMAL", "numeric")
        found.append((name, kind, rest))
    return found


def catalog(database: Database, table: str) -> dict[str, tuple[Any, ...]]:
    rows = database.rows(
        """SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
           FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
           WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped""",
        (table,),
    )
    return {name: rest for name, *rest in rows}


@pytest.mark.parametrize("table", COLUMNS)
def test_every_column_has_its_type_and_default(database: Database, table: str) -> None:
    seen = catalog(database, table)
    assert set(seen) == {name for name, _kind, _rest in listed(table)}
    for name, kind, rest in listed(table):
        found, not_null, default = seen[name]
        assert found == kind, name
        if name == "id":
            assert default == f"nextval('{table}_id_seq'::regclass)"
        if "DEFAULT" in rest:
            assert default.split("::")[0] == rest.rsplit("DEFAULT ", 1)[1], name
        assert not_null or not ("NOT NULL" in rest or "PRIMARY" in rest or name in MEANT.get(table, "").split()), name
        if name in ("metadata", "properties"):
            assert default == "'{}'::jsonb"


@pytest.mark.parametrize("table", INDEXES)
def test_every_index_is_there_with_its_direction(database: Database, table: str) -> None:
    seen = [
        definition.split(" USING btree ")[1]
        for (definition,) in database.rows(
            "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = %s::regclass AND indisvalid", (table,)
        )
    ]
    assert set(INDEXES[table]) <= set(seen)


def keys(database: Database, table: str) -> set[str]:
    query = "SELECT pg_get_constraintdef(oid), contype FROM pg_constraint WHERE conrelid = %s::regclass"
    return {rule for rule, kind in database.rows(query, (table,)) if kind in ("p", "u", "f")}


@pytest.mark.parametrize("table", COLUMNS)
def test_every_key_and_reference(database: Database, table: str) -> None:
    wanted = {"PRIMARY KEY (id)"}
    for name, _kind, rest in listed(table):
        if "UNIQUE" in rest:
            wanted.add(f"UNIQUE ({name})")
        if "REFERENCES" in rest:
            target = rest.split("REFERENCES ")[1].split(")")[0] + ")"
            # The notes: edges go with their node, as runs go with their plan.
            wanted.add(f"FOREIGN KEY ({name}) REFERENCES {target} ON DELETE CASCADE")
    if table == "events":
        wanted.add("FOREIGN KEY (client_id) REFERENCES client_profiles(id)")
    if table == "graph_edges":
        wanted.add("UNIQUE (from_node_id, to_node_id, edge_type)")
    assert keys(database, table) == wanted


@pytest.mark.parametrize(("table", "column"), ALLOWED)
def test_every_value_that_is_allowed_and_no_other(database: Database, table: str, column: str) -> None:
    rules = database.rows(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'", (table,)
    )
    assert len(rules) == 1
    assert rules[0][0].startswith(f"CHECK ((({column})::text = ANY")
    assert tuple(re.findall(r"'(\w+)'::character varying", rules[0][0])) == ALLOWED[table, column]


def test_the_function_is_as_it_is_stated(database: Database) -> None:
    assert database.rows(
        """SELECT oidvectortypes(proargtypes), pg_get_function_result(oid) FROM pg_proc
           WHERE proname = 'get_graph_neighbors' AND pronamespace = 'public'::regnamespace"""
    ) == [
        (
            "character varying",
            "TABLE(neighbor_id character varying, edge_type character varying, direction character varying)",
        )
    ]


def test_the_question_that_scenario_2_7_asks(database: Database) -> None:
    with database.undone() as rows:
        rows(
            """INSERT INTO execution_runs (run_id, run_type, process_template_id, workflow_id, project_id, actual_hours,
                   metadata)
               SELECT 'r' || n, 'Process', CASE WHEN n <= 4 THEN 'x' ELSE 'y' END, 'w', NULL, n, given
               FROM (VALUES (1, '{"estimated_hours": 2}'::jsonb), (2, '{"estimated_hours": "2"}'), (3, '{}'),
                            (4, '{"estimated_hours": "soon"}'),
                            (5, '{"estimated_hours": 5.0000000001}')) AS run (n, given)"""
        )
        assert rows("SELECT avg(actual_hours) FROM execution_runs WHERE process_template_id = 'x'") == [(2.5,)]
        stats = rows(
            """SELECT grouped_by, group_id, runs, average_hours::float, p50_hours::float, p90_hours::float,
                      estimated_runs, average_estimated_hours::float, average_variance_hours::float,
                      variance_percent::float, drifts
               FROM execution_run_stats ORDER BY 1, 2"""
        )
        assert stats == [
            ("process_template", "x", 4, 2.5, 2.5, 3.7, 2, 2.0, -0.5, -25.0, False),
            ("process_template", "y", 1, 5.0, 5.0, 5.0, 1, 5.0, 0.0, 0.0, False),
            ("workflow", "w", 5, 3.0, 3.0, 4.6, 3, 3.0, -0.33, -11.1, False),
        ]
        rows("UPDATE execution_runs SET actual_hours = 3 WHERE run_id = 'r1'")
        assert rows("SELECT drifts FROM execution_run_stats WHERE group_id = 'x'") == [(False,)]
        rows("UPDATE execution_runs SET actual_hours = 4 WHERE run_id = 'r1'")
        assert rows("SELECT drifts, variance_percent::float FROM execution_run_stats WHERE group_id = 'x'") == [
            (True, 50.0)
        ]

"""The schema on databases that somebody used before: partly made, made by hand, edited; prompts, speed."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations import files, scratch
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.drift import compare
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.session import Session

from tests.contract import postgres
from tests.contract.postgres import Database
from tests.support.run_module import ModuleFailed, run_module

MIGRATIONS = Path(__file__).resolve().parents[2] / "roles" / "schema" / "files" / "migrations"
SHIPPED = [{"name": path.name, "sql": path.read_text()} for path in sorted(MIGRATIONS.glob("*.sql"))]
BORROWING = [one for one in SHIPPED if not one["name"].startswith("001")]
CLIENTS = "CREATE TABLE client_profiles (id SERIAL PRIMARY KEY, company TEXT)"

# Requirement 2 as a person types it: no names for rules and indexes, other words for the same.
BY_HAND = """
CREATE TABLE events (id SERIAL PRIMARY KEY, event_type VARCHAR(100) NOT NULL, event_source VARCHAR(50) NOT NULL,
    client_id INTEGER REFERENCES client_profiles, payload JSONB NOT NULL, metadata JSONB DEFAULT '{}'::jsonb,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
CREATE INDEX by_type ON events (event_type);
CREATE INDEX by_source ON events USING btree (event_source);
CREATE INDEX by_time ON events (created_at DESC);
CREATE TABLE plans (id SERIAL PRIMARY KEY, plan_title VARCHAR(500) NOT NULL, intent TEXT NOT NULL, sop JSONB NOT NULL,
    client_id INTEGER, status VARCHAR(20) DEFAULT 'draft', metadata JSONB DEFAULT '{}',
    created_at TIMESTAMP DEFAULT NOW(), updated_at TIMESTAMP DEFAULT NOW(),
    CHECK (status = ANY (ARRAY['draft', 'scheduled', 'active', 'completed'])));
CREATE INDEX ON plans (client_id);
CREATE INDEX ON plans (status);
"""


def migrate(database: Database, *migrations: dict[str, str], check: bool = False, **more: Any) -> dict[str, Any]:
    return postgres.migrate(database, *(migrations or SHIPPED), check=check, **more)


def borrow(database: Database, **more: Any) -> dict[str, Any]:
    return migrate(database, *BORROWING, borrowed_tables=["client_profiles"], **more)


def indexes(database: Database, table: str) -> list[str]:
    query = "SELECT split_part(indexdef, ' USING ', 2) FROM pg_indexes WHERE tablename = %s ORDER BY 1"
    return [row[0] for row in database.rows(query, (table,))]


def test_what_a_person_made_with_other_words_is_taken_as_it_is(database: Database) -> None:
    database.rows(CLIENTS)
    database.rows(BY_HAND)
    database.rows("INSERT INTO plans (plan_title, intent, sop) VALUES ('p', 'i', '{}')")
    before = indexes(database, "plans")
    result = borrow(database)
    assert [one for one in result["statements"] if one["line"] == 0] == []
    assert (result["drift"], result["warnings"]) == ([], [])
    assert database.rows("SELECT count(*) FROM plans") == [(1,)]
    assert sorted(set(indexes(database, "plans"))) == sorted(set(before))
    assert borrow(database)["changed"] is False


def test_what_is_lacking_is_added_in_the_same_transaction(database: Database) -> None:
    database.rows(CLIENTS)
    database.rows("CREATE TABLE plans (id SERIAL PRIMARY KEY, plan_title VARCHAR(500), intent TEXT, sop JSONB,"
                  " client_id INTEGER, created_at TIMESTAMP)")  # fmt: skip
    database.rows(
        "CREATE TABLE graph_nodes (id SERIAL PRIMARY KEY, node_type VARCHAR(50), node_id VARCHAR(255) UNIQUE)"
    )
    checked = borrow(database, check=True)
    result = borrow(database)
    assert checked["statements"] == result["statements"]
    added = {one["statement"] for one in result["statements"] if one["line"] == 0}
    assert "ALTER TABLE plans ALTER COLUMN sop SET NOT NULL" in added
    assert "ALTER TABLE graph_nodes ADD COLUMN properties jsonb DEFAULT '{}'::jsonb" in added
    with pytest.raises(psycopg2.Error, match="plans_status_check"):
        database.rows("INSERT INTO plans (plan_title, intent, sop, status) VALUES ('p', 'i', '{}', 'lost')")
    assert result["drift"] == []
    assert borrow(database)["changed"] is False


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        ("CREATE TABLE events (id text)", "column events.id is text, declared is integer"),
        (
            "CREATE TABLE plans (id SERIAL PRIMARY KEY, plan_title TEXT)",
            r"column plans.plan_title is text, declared is character varying\(500\)",
        ),
        (
            "CREATE TABLE execution_runs (id SERIAL PRIMARY KEY, run_type VARCHAR(20) CHECK (run_type IN ('Process')))",
            r"has constraint execution_runs_run_type_check CHECK \(.*'Process'.*\), declared is CHECK",
        ),
        ("CREATE TABLE scheduler_runs (client_id INTEGER); CREATE INDEX idx_scheduler_runs_plan_id ON scheduler_runs"
         " (client_id)", "column \"plan_id\"|idx_scheduler_runs_plan_id of table scheduler_runs is"),
    ],
)  # fmt: skip
def test_what_contradicts_is_refused_and_nothing_is_touched(database: Database, made: str, sentence: str) -> None:
    database.rows(CLIENTS)
    database.rows(made)
    before = database.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    for check in (True, False):
        with pytest.raises(ModuleFailed, match=sentence):
            borrow(database, check=check)
    assert database.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1") == before


OTHER_ORDER = {
    "plans": "status VARCHAR(20) DEFAULT 'draft' CHECK (status IN ('completed', 'active', 'draft', 'scheduled'))",
    "execution_runs": "run_type VARCHAR(20) NOT NULL CHECK (run_type = ANY (ARRAY['Touchpoint', 'Process']))",
}


def test_values_in_another_order_are_the_same_rule(database: Database) -> None:
    database.rows(CLIENTS)
    for table, column in OTHER_ORDER.items():
        database.rows(f"CREATE TABLE {table} (id SERIAL PRIMARY KEY, {column})")
    result = borrow(database)
    assert result["drift"] == []
    rules = "SELECT count(*) FROM pg_constraint WHERE contype = 'c' AND conrelid = ANY (%s::regclass[])"
    assert database.rows(rules, (list(OTHER_ORDER),)) == [(2,)]
    assert borrow(database, on_drift="fail")["changed"] is False


STRICTER = {
    "ALTER TABLE events ADD COLUMN tenant integer NOT NULL": "events has column tenant integer not null without",
    "ALTER TABLE events ADD CHECK (event_source <> 'n8n')": "events has constraint events_event_source_check CHECK",
}


@pytest.mark.parametrize("stricter", STRICTER)
def test_a_table_that_refuses_rows_which_the_files_allow_is_not_taken(database: Database, stricter: str) -> None:
    database.rows(CLIENTS)
    database.rows(BY_HAND)
    database.rows(stricter)
    for check in (True, False):
        with pytest.raises(ModuleFailed, match=r"002_planner_memory_schema\.sql found what contradicts it") as caught:
            borrow(database, check=check)
        assert STRICTER[stricter] in str(caught.value)
    assert database.rows("SELECT to_regclass('graph_nodes')::text") == [(None,)]


def test_a_rule_that_came_later_is_told(database: Database) -> None:
    migrate(database)
    for stricter in STRICTER:
        database.rows(stricter)
    database.rows("ALTER TABLE plans ADD FOREIGN KEY (client_id) REFERENCES client_profiles")
    database.rows("ALTER TABLE plans ADD COLUMN colour text, ADD CHECK (colour <> 'red')")
    told = migrate(database)
    assert told["changed"] is False
    assert len(told["drift"]) == 3 == len(told["warnings"])
    for words in (*STRICTER.values(), "table plans has constraint plans_client_id_fkey FOREIGN KEY"):
        assert any(words in one and "drop it, or declare it in a file" in one for one in told["warnings"]), words
    with pytest.raises(ModuleFailed, match="this cannot be added"):
        migrate(database, on_drift="repair")


def test_rows_that_break_a_rule_are_told(database: Database) -> None:
    database.rows(CLIENTS)
    database.rows("CREATE TABLE graph_nodes (id SERIAL PRIMARY KEY, node_type VARCHAR(50), node_id VARCHAR(255))")
    database.rows("INSERT INTO graph_nodes (node_type, node_id) VALUES ('t', 'x'), ('t', 'x')")
    with pytest.raises(ModuleFailed) as caught:
        borrow(database)
    assert "graph_nodes" in str(caught.value)
    assert "nothing" in str(caught.value)
    assert database.rows("SELECT to_regclass('events')::text, count(*) FROM graph_nodes") == [(None, 2)]


DAMAGE = {
    "DROP INDEX idx_events_created_at": "table events lacks index idx_events_created_at btree (created_at DESC)",
    "ALTER TABLE plans DROP CONSTRAINT plans_status_check": "table plans lacks constraint plans_status_check",
    "ALTER TABLE graph_edges ALTER COLUMN properties DROP DEFAULT": "column graph_edges.properties has no default",
    "ALTER TABLE events ALTER COLUMN payload DROP NOT NULL": "column events.payload may be null",
    "DROP VIEW execution_run_stats": "view execution_run_stats is missing",
    "DROP FUNCTION get_graph_neighbors": "function get_graph_neighbors(character varying) is missing",
    "ALTER TABLE execution_runs DROP COLUMN outcome_notes": "table execution_runs lacks column outcome_notes text",
}


def test_drift_is_reported_refused_or_repaired(database: Database) -> None:
    migrate(database)
    for damage in DAMAGE:
        database.rows(damage)
    reported = migrate(database)
    assert reported["changed"] is False
    assert len(reported["drift"]) == len(DAMAGE) == len(reported["warnings"])
    for words in DAMAGE.values():
        assert any(one.startswith(words) for one in reported["drift"]), words
    told = run_module("postgres_migration_info", {**database.login, "migrations": SHIPPED})
    assert told["drift"] == reported["drift"]
    assert told["pending"] == told["edited"] == []
    with pytest.raises(ModuleFailed, match=r"the database is not what its migrations declare: .* and 2 more; restore"):
        migrate(database, on_drift="fail")
    checked = migrate(database, on_drift="repair", check=True)
    assert migrate(database)["drift"] == reported["drift"]
    repaired = migrate(database, on_drift="repair")
    again = [f"apply {name} (something was made anew)" for name in ("R__prompt_templates.sql", "R__runtime_role.sql")]
    assert repaired["actions"] == checked["actions"] == [*(f"repair: {one}" for one in reported["drift"]), *again]
    assert repaired["drift"] == []
    assert migrate(database, on_drift="fail")["changed"] is False
    database.rows("ALTER TABLE plans ALTER COLUMN intent TYPE varchar(10)")
    with pytest.raises(ModuleFailed, match=r"plans.intent is .*, declared is text; this cannot be added"):
        migrate(database, on_drift="repair")
    database.rows(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
    assert len(migrate(database)["drift"]) == 1, "comparing only reads"


@pytest.mark.parametrize("borrowed", [[], ["client_profiles"]], ids=["all of it ours", "clients borrowed"])
def test_what_an_empty_database_became_is_what_an_empty_schema_shows(database: Database, borrowed: list[str]) -> None:
    """A first run looks at what it made, later ones find it out beside: both have to see the same."""
    if borrowed:
        database.rows(CLIENTS)
        borrow(database)
    else:
        migrate(database)
    ((kept,),) = database.rows("SELECT details -> 'declared' FROM schema_migrations WHERE details IS NOT NULL")
    login = {**database.login, "connect_timeout": 10, "ssl_mode": "prefer", "ca_path": None}
    with contextlib.closing(Session(login, {"search_path": "public"})) as session:
        migrations = files.build(BORROWING if borrowed else SHIPPED)
        found = scratch.declaration(session, "public", migrations, borrowed)
    assert {kind: set(found[kind]) for kind in found} == {kind: set(kept[kind]) for kind in kept}
    assert compare(found, kept) == compare(kept, found) == ()


def policy(name: str) -> dict[str, Any]:
    return {"settings": {"planner_memory.prompt_templates_policy": name, "planner_memory.runtime_role": ""}}


MD5 = "md5(ROW(template_type, version, metadata, content)::text)"


def prompt(database: Database, name: str) -> Any:
    rows = database.rows("SELECT content, version FROM prompt_templates WHERE template_name = %s", (name,))
    return rows[0] if rows else None


def test_a_persons_prompt_is_kept_and_reported_and_ours_are_updated(database: Database) -> None:
    migrate(database, **policy("managed"))
    shipped = prompt(database, "weekly_review")
    database.rows("UPDATE prompt_templates SET content = 'mine' WHERE template_name = 'daily_reflection'")
    database.rows("DELETE FROM prompt_templates WHERE template_name = 'weekly_review'")
    once = migrate(database, **policy("seed_once"))
    assert once["kept"] == ["prompt template daily_reflection was edited by a person and is kept"]
    assert prompt(database, "weekly_review") is None
    managed = migrate(database, **policy("managed"))
    assert managed["kept"] == once["kept"]
    assert prompt(database, "weekly_review") == shipped
    assert prompt(database, "daily_reflection")[0] == "mine"
    assert migrate(database, **policy("managed"))["changed"] is False
    migrate(database, **policy("overwrite"))
    assert prompt(database, "daily_reflection")[0].startswith("You")
    assert migrate(database, **policy("overwrite"))["changed"] is False


def test_a_prompt_of_an_earlier_version_is_ours(database: Database) -> None:
    """The next version of the file, with the text of this one among the earlier ones."""
    migrate(database, **policy("managed"))
    database.rows("UPDATE prompt_templates SET content = content || ' (mine)' WHERE template_name = 'sop_generator'")
    ((md5,),) = database.rows(f"SELECT {MD5} FROM prompt_templates WHERE template_name = 'weekly_review'")
    newer = [dict(one) for one in SHIPPED]
    for one in newer:
        if one["name"] == "R__prompt_templates.sql":
            one["sql"] = (
                one["sql"]
                .replace("VALUES (NULL::text, NULL::text)", f"VALUES ('weekly_review', '{md5}')")
                .replace("('weekly_review', 'system', 'v1'", "('weekly_review', 'system', 'v2'")
                .replace("# What you are given", "# What you get")
            )
            assert "'v2'" in one["sql"]
    result = migrate(database, *newer, **policy("managed"))
    assert prompt(database, "weekly_review")[1] == "v2"
    assert "# What you get" in prompt(database, "weekly_review")[0]
    assert prompt(database, "sop_generator")[0].endswith(" (mine)")
    assert "prompt template sop_generator was edited by a person and is kept" in result["kept"]


def test_every_text_that_was_ever_shipped_is_known_as_ours(database: Database) -> None:
    """002 stays what v1 was: a text of it that was changed since has to be among the earlier ones."""
    migrate(database, *SHIPPED[:2])
    shipped = database.rows(f"SELECT template_name, {MD5} FROM prompt_templates")
    migrate(database, **policy("managed"))
    known = database.rows(
        f"SELECT template_name, {MD5} FROM shipped_prompt_templates()"
        " UNION SELECT template_name, template_md5 FROM earlier_prompt_templates()"
    )
    assert len(shipped) == 5
    assert set(shipped) <= set(known)


@pytest.mark.parametrize("edit", ["metadata = '{}'", "metadata = NULL", "template_type = 'mine'", "version = 'v7'"])
def test_whatever_of_a_prompt_a_person_edited_is_theirs(database: Database, edit: str) -> None:
    migrate(database, **policy("managed"))
    name = "sop_generator_manifold"
    everything = "SELECT t::text FROM prompt_templates AS t ORDER BY id"
    shipped = database.rows(everything)
    database.rows(f"UPDATE prompt_templates SET {edit} WHERE template_name = %s", (name,))
    edited = database.rows(everything)
    database.rows("DELETE FROM prompt_templates WHERE template_name = 'weekly_review'")
    words = f"prompt template {name} was edited by a person"
    for check in (True, False):
        result = migrate(database, check=check, **policy("managed"))
        assert result["actions"] == ["apply R__prompt_templates.sql (prompt template weekly_review is missing)"]
        assert result["kept"] == [f"{words} and is kept"]
    assert database.rows(everything)[:4] == edited[:4]
    assert migrate(database, **policy("managed"))["changed"] is False
    result = migrate(database, **policy("overwrite"))
    assert result["changed"] is True
    assert database.rows(everything)[:4] == shipped[:4]


def test_what_the_files_declare_is_kept_by_the_next_run_where_it_was_not(database: Database) -> None:
    migrate(database, on_drift="ignore")
    actions = ["keep what the files declare, to compare with it later"]
    assert migrate(database, check=True)["actions"] == migrate(database)["actions"] == actions
    assert migrate(database)["changed"] is False
    told = run_module("postgres_migration_info", {**database.login, "migrations": SHIPPED})
    assert told["drift"] == []


def test_an_identity_that_the_specification_does_not_have_is_refused(database: Database) -> None:
    database.rows(CLIENTS)
    database.rows("CREATE TABLE scheduler_runs (id INTEGER GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY)")
    with pytest.raises(
        ModuleFailed, match=r"scheduler_runs\.id has generated by default as identity, declared is default"
    ):
        borrow(database)


QUESTIONS = {
    "SELECT * FROM events WHERE event_type = 'rare'": "idx_events_event_type",
    "SELECT * FROM events WHERE event_source = 'rare'": "idx_events_event_source",
    "SELECT * FROM events ORDER BY created_at DESC LIMIT 20": "idx_events_created_at",
    "SELECT * FROM plans WHERE client_id = 7": "idx_plans_client_id",
    "SELECT * FROM plans WHERE status = 'active'": "idx_plans_status",
    "SELECT * FROM scheduler_runs WHERE plan_id = 7": "idx_scheduler_runs_plan_id",
    "SELECT * FROM scheduler_runs WHERE client_id = 7": "idx_scheduler_runs_client_id",
    "SELECT avg(actual_hours) FROM execution_runs WHERE process_template_id = 'coda:7'": "_process_template_id",
    "SELECT * FROM execution_runs WHERE task_id = 'coda:task-123'": "idx_execution_runs_task_id",
    "SELECT * FROM execution_runs WHERE project_id = 'coda:7'": "idx_execution_runs_project_id",
    "SELECT * FROM execution_runs WHERE run_type = 'Touchpoint'": "idx_execution_runs_run_type",
    "SELECT * FROM execution_runs ORDER BY started_at DESC LIMIT 20": "idx_execution_runs_started_at",
    "SELECT * FROM prompt_templates WHERE template_name = 'weekly_review'": "",
}


def test_the_specifications_questions_use_its_indexes_on_100_000_rows(database: Database) -> None:
    migrate(database)
    many = "generate_series(1, 100000) AS n"
    for fill in (
        "INSERT INTO events (event_type, event_source, payload, created_at) SELECT CASE n % 500 WHEN 0 THEN 'rare' ELSE"
        " 'task' END, CASE n % 500 WHEN 1 THEN 'rare' ELSE 'coda' END, '{}', now() - n * interval '1 min' FROM ",
        "INSERT INTO plans (plan_title, intent, sop, client_id, status)"
        " SELECT 'p', 'i', '{}', n % 1000, CASE n % 500 WHEN 0 THEN 'active' ELSE 'draft' END FROM ",
        "INSERT INTO scheduler_runs (plan_id, client_id) SELECT n, n % 1000 FROM ",
        "INSERT INTO execution_runs (run_id, run_type, task_id, project_id, process_template_id, started_at,"
        " actual_hours) SELECT 'r' || n, CASE n % 500 WHEN 0 THEN 'Touchpoint' ELSE 'Process' END, 'coda:task-' || n,"
        " 'coda:' || n % 1000, 'coda:' || n % 1000, now() - n * interval '1 min', 1 FROM ",
        "INSERT INTO graph_nodes (node_type, node_id) SELECT 't', 'n' || n FROM ",
        "INSERT INTO graph_edges (from_node_id, to_node_id, edge_type)"
        " SELECT 'n' || n, 'n' || 1 + n * 7 % 100000, 'knows' FROM ",
    ):
        database.rows(fill + many)
    database.rows("ANALYZE")
    for question, index in QUESTIONS.items():
        plan = "\n".join(row[0] for row in database.rows(f"EXPLAIN {question}"))
        assert index in plan, f"{question}\n{plan}"
        assert not index or "Seq Scan" not in plan, f"{question}\n{plan}"
    ends = "SELECT 1 FROM graph_edges WHERE from_node_id = 'n7' UNION ALL {}".format(
        "SELECT 1 FROM graph_edges WHERE to_node_id = 'n7'"
    )
    plan = "\n".join(row[0] for row in database.rows(f"EXPLAIN {ends}"))
    assert plan.count("Index") >= 2, plan
    assert "Seq Scan" not in plan, plan
    # What the function does inside is no part of a plan; the rows that it reads are counted.
    reads = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'graph_edges'"
    before = database.rows(reads)
    assert len(database.rows("SELECT * FROM get_graph_neighbors('n8')")) == 2
    assert database.rows(reads) == before


@pytest.mark.parametrize(("schema", "history"), [("plan", "planner_memory_migrations"), ("public", "h")])
def test_down_works_where_it_is_told_to_and_says_what_it_does_not_find(
    database: Database, schema: str, history: str
) -> None:
    down = (MIGRATIONS.parent / "development" / "down.sql").read_text()
    confirmed = f"SET planner_memory.down = '{database.name}';"
    with pytest.raises(psycopg2.Error, match=r"schema public of database .* has none of the tables"):
        database.rows(confirmed + down)
    database.rows("CREATE SCHEMA IF NOT EXISTS plan; CREATE SCHEMA other; CREATE TABLE other.plans (id int)")
    migrate(database, schema=schema, history_table=history)
    with pytest.raises(psycopg2.Error, match=r"has none of the tables|has no history table"):
        database.rows(confirmed + down)
    database.rows(
        f"{confirmed} SET planner_memory.schema = '{schema}'; SET planner_memory.history = '{history}';"
        f" SET search_path = other, public; {down}"
    )
    left = "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'v') ORDER BY 1"
    assert [row[0] for row in database.rows(left, (schema,))] == sorted(["client_profiles", history])
    assert database.rows("SELECT to_regclass('other.plans')::text") == [("other.plans",)]
    assert len(migrate(database, schema=schema, history_table=history)["actions"]) == len(SHIPPED) - 1


def test_down_takes_everything_away_when_told_the_database(database: Database) -> None:
    history = {"history_table": "planner_memory_migrations"}
    down = (MIGRATIONS.parent / "development" / "down.sql").read_text()
    migrate(database, **history)
    before = indexes(database, "events")
    with pytest.raises(psycopg2.Error, match="this deletes all plans, events, prompts and the graph"):
        database.rows(down)
    database.rows(f"SET planner_memory.down = '{database.name}'; {down}")
    left = database.rows(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')"
    )
    assert {row[0] for row in left} == {"client_profiles", "planner_memory_migrations"}
    assert database.rows("SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace") == [(0,)]
    assert len(migrate(database, **history)["actions"]) == len(SHIPPED) - 1
    assert indexes(database, "events") == before

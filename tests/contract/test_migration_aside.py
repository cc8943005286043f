"""What is tried out in a schema aside leaves the real one alone, and says where it cannot be tried out."""

from __future__ import annotations

import pytest

from tests.contract.postgres import Database, holding, migrate_files
from tests.support.run_module import ModuleFailed


def test_finding_out_what_files_declare_moves_no_sequence(database: Database) -> None:
    files = {
        "001_a.sql": "create table if not exists public.foo(id serial primary key);\n"
        "select setval('public.foo_id_seq', 10);"
    }
    migrate_files(database, files)
    database.rows("SELECT setval('foo_id_seq', 100)")
    files["002_b.sql"] = "create table if not exists bar(id int)"
    migrate_files(database, files, check=True)
    assert migrate_files(database, files, on_drift="fail")["actions"] == ["apply 002_b.sql"]
    assert database.rows("SELECT last_value FROM foo_id_seq") == [(100,)]
    database.rows("DROP TABLE foo")
    with pytest.raises(ModuleFailed, match="table foo is missing"):
        migrate_files(database, files, on_drift="fail")


def test_finding_out_what_files_declare_holds_no_real_table(database: Database) -> None:
    files = {
        "001_a.sql": "create table foo(id int);",
        "002_b.sql": "alter table public.foo add column if not exists y int;",
    }
    migrate_files(database, files)
    files["003_c.sql"] = "create table if not exists z(id int);"
    with holding(database, "SELECT count(*) FROM foo"):
        assert migrate_files(database, files, lock_wait=0)["actions"] == ["apply 003_c.sql"]


NOT_COMPARABLE = {
    "a block that does more than make things": "DO $$ BEGIN EXECUTE 'CREATE TABLE a (id int)'; END $$;",
    "a table of another schema": "CREATE SCHEMA app; CREATE TABLE app.a (id int);",
    "a table that no file makes": "ALTER TABLE by_hand ADD COLUMN x int;",
}


@pytest.mark.parametrize("sql", NOT_COMPARABLE.values(), ids=NOT_COMPARABLE)
@pytest.mark.parametrize("check", [True, False])
def test_what_cannot_be_compared_is_an_error_where_drift_is_one(database: Database, sql: str, check: bool) -> None:
    database.rows("CREATE TABLE by_hand (id int)")
    for policy in ("fail", "repair"):
        with pytest.raises(
            ModuleFailed, match=r"was not compared with .* declare: 001_a\.sql line 1: .*make that poss"
        ):
            migrate_files(database, {"001_a.sql": sql}, on_drift=policy, check=check)
    assert database.rows("SELECT to_regclass('schema_migrations')::text") == [(None,)]
    if not check:
        assert "was not compared" in migrate_files(database, {"001_a.sql": sql})["warnings"][0]
        with pytest.raises(ModuleFailed, match="was not compared"):
            migrate_files(database, {"001_a.sql": sql}, on_drift="fail")


def test_who_may_make_no_schema_is_told_so(database: Database) -> None:
    user = f"u_{database.name}"
    database.rows(f"CREATE ROLE {user} LOGIN PASSWORD '{database.login['login_password']}'")
    database.rows(f"CREATE SCHEMA AUTHORIZATION {user}")
    try:
        with pytest.raises(ModuleFailed, match="an empty schema beside it cannot be made: permission denied"):
            files = {"001_a.sql": "CREATE TABLE a (id int)"}
            migrate_files(database, files, login_user=user, schema=user)
            migrate_files(
                database, {**files, "002_b.sql": "CREATE TABLE b ()"}, login_user=user, schema=user, on_drift="fail"
            )
    finally:
        database.rows(f"DROP OWNED BY {user}")
        database.rows(f"DROP ROLE {user}")


def test_extensions_and_blocks_that_need_rows_are_no_obstacle(database: Database) -> None:
    files = {
        "001_a.sql": "CREATE EXTENSION IF NOT EXISTS citext; CREATE TABLE IF NOT EXISTS a (name citext DEFAULT 'x');"
        " CREATE INDEX IF NOT EXISTS a_name ON a (lower(name)); INSERT INTO a VALUES ('b');",
        "002_b.sql": "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM a) THEN RAISE EXCEPTION 'no rows'; END IF; END $$;",
    }
    migrate_files(database, {"001_a.sql": files["001_a.sql"]}, on_drift="fail")
    assert migrate_files(database, files, on_drift="fail")["warnings"] == []
    assert migrate_files(database, files, on_drift="fail")["changed"] is False
    database.rows("ALTER TABLE a ALTER COLUMN name TYPE text")
    with pytest.raises(ModuleFailed, match=r"column a\.name is text, declared is citext"):
        migrate_files(database, files, on_drift="fail")


def test_a_table_made_by_hand_that_cannot_be_compared_is_not_taken(database: Database) -> None:
    database.rows("CREATE SCHEMA app; CREATE TABLE app.foo (id text); CREATE TABLE bar (id text)")
    with pytest.raises(ModuleFailed, match=r"would take app\.foo for its own, .* only schema public can be tried out"):
        migrate_files(database, {"001_a.sql": "CREATE TABLE IF NOT EXISTS app.foo (id int, x int);"})
    with pytest.raises(ModuleFailed, match=r"column bar\.id is text, declared is integer"):
        migrate_files(database, {"001_a.sql": "CREATE TABLE IF NOT EXISTS public.bar (id int, x int);"})


def test_a_function_made_by_hand_is_not_replaced(database: Database) -> None:
    files = {"001_a.sql": "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;"}
    database.rows("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 2 $$")
    for check in (True, False):
        with pytest.raises(
            ModuleFailed, match=r"would replace what somebody made: function f\(\) .*SELECT 2.*SELECT 1"
        ):
            migrate_files(database, files, check=check)
    assert database.rows("SELECT f()") == [(2,)]
    database.rows("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$")
    migrate_files(database, files)
    files["002_b.sql"] = "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 3 $$;"
    migrate_files(database, files)
    assert database.rows("SELECT f()") == [(3,)]


BY_HAND = {
    "function f()": ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT {} $$", "SELECT f()"),
    "view v": ("CREATE VIEW v AS SELECT {} AS x", "SELECT x FROM v"),
}


@pytest.mark.parametrize("thing", BY_HAND)
@pytest.mark.parametrize("ran_before", [False, True], ids=["no history", "a history"])
def test_a_repeatable_file_replaces_nothing_made_by_hand_at_its_first_run(
    database: Database, thing: str, ran_before: bool
) -> None:
    create, ask = BY_HAND[thing]
    files = {"001_a.sql": "CREATE TABLE a (id int)"}
    if ran_before:
        migrate_files(database, files)
    files["R__thing.sql"] = create.replace("CREATE", "CREATE OR REPLACE").format(1)
    database.rows(create.format(2))
    for check in (True, False):
        with pytest.raises(ModuleFailed, match=r"R__thing\.sql would replace what somebody made: ") as caught:
            migrate_files(database, files, check=check)
        assert f"{thing} is there and differs" in str(caught.value)
        assert "set on_drift to ignore once" in str(caught.value)
    assert database.rows(ask) == [(2,)]
    assert migrate_files(database, files, on_drift="ignore")["changed"] is True
    assert database.rows(ask) == [(1,)]


@pytest.mark.parametrize("thing", BY_HAND)
def test_a_repeatable_file_takes_what_is_as_it_says_and_replaces_its_own(database: Database, thing: str) -> None:
    create, ask = BY_HAND[thing]
    replace = create.replace("CREATE", "CREATE OR REPLACE")
    database.rows(create.format(1))
    for name, number in (("R__thing.sql", 1), ("R__thing.sql", 3), ("R__renamed.sql", 4)):
        files = {"001_a.sql": "CREATE TABLE a (id int)", name: replace.format(number)}
        assert f"apply {name}" in migrate_files(database, files)["actions"]
        assert database.rows(ask) == [(number,)]

"""postgres_migration against a live PostgreSQL."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.contract.postgres import Database, Gate, holding, migrate
from tests.support.law import Law
from tests.support.run_module import ModuleFailed, run_module

FIRST = {
    "name": "001_first.sql",
    "sql": "CREATE TABLE first (id SERIAL PRIMARY KEY);\nINSERT INTO first DEFAULT VALUES;\n",
}
SECOND = {"name": "002_second.sql", "sql": "ALTER TABLE first ADD COLUMN note text DEFAULT 'a;b';\n"}
BROKEN = {
    "name": "003_broken.sql",
    "sql": "CREATE TABLE third (id int);\n\nINSERT INTO third\nSELECT nothing;\n",
}


def contents(database: Database) -> Any:
    """Everything that is there: columns, history, and the transactions that left a trace."""
    columns = database.rows(
        "SELECT table_name, column_name, column_default FROM information_schema.columns"
        " WHERE table_schema = 'public' ORDER BY 1, ordinal_position"
    )
    history = database.rows("SELECT xmin::text, t::text FROM schema_migrations t") if has_history(columns) else []
    return columns, history


def has_history(columns: list[tuple[Any, ...]]) -> bool:
    return any(column[0] == "schema_migrations" for column in columns)


def test_the_law(database: Database) -> None:
    def arguments(*migrations: dict[str, str]) -> dict[str, Any]:
        return {**database.login, "migrations": list(migrations)}

    Law(
        module="postgres_migration",
        create=arguments(FIRST),
        update=arguments(SECOND, FIRST),
        independent_read=lambda: contents(database),
    ).hold()


def test_a_run_with_nothing_to_do_only_reads(database: Database) -> None:
    migrate(database, FIRST, SECOND)
    database.rows(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
    assert migrate(database, FIRST, SECOND)["changed"] is False
    for check in (True, False):
        with pytest.raises(ModuleFailed, match="the server only reads, because it is a standby or default_transaction"):
            migrate(database, FIRST, SECOND, BROKEN, check=check)


def test_result_says_what_ran_where_and_when(database: Database) -> None:
    rehearsed = migrate(database, FIRST, check=True)
    ran = migrate(database, FIRST)
    assert [(one["line"], one["rows"]) for one in ran["statements"]] == [(1, -1), (2, 1)]
    assert rehearsed["statements"] == ran["statements"]
    assert rehearsed["applied"][0]["applied_at"] is None
    row = database.rows("SELECT name, version, checksum, applied_by, success FROM schema_migrations")
    assert row == [("001_first.sql", 1, ran["applied"][0]["checksum"], database.server.user, True)]
    assert ran["applied"][0]["applied_by"] == database.server.user


def test_an_edited_file_is_refused_and_whitespace_is_no_edit(database: Database) -> None:
    ran = migrate(database, FIRST)
    assert migrate(database, {**FIRST, "sql": FIRST["sql"].replace("\n", "  \r\n")})["changed"] is False
    with pytest.raises(ModuleFailed) as caught:
        migrate(database, {**FIRST, "sql": FIRST["sql"] + "SELECT 1;"}, SECOND)
    sentence = str(caught.value)
    assert "001_first.sql was edited after it ran on 20" in sentence
    assert ran["applied"][0]["checksum"] in sentence
    assert caught.value.result["checksum_file"] in sentence
    assert len(contents(database)[1]) == 1


OTHERS = "CREATE TABLE of_others (id int)"


@pytest.mark.parametrize(
    ("on_drift", "beside"),
    [("ignore", "SELECT 1"), ("report", "SELECT 1"), ("report", OTHERS), ("fail", OTHERS), ("repair", OTHERS)],
)
def test_a_baseline_where_nothing_of_it_is_there_is_refused(database: Database, on_drift: str, beside: str) -> None:
    database.rows(beside)
    files = [{**FIRST, "sql": "CREATE TABLE first (id int)"}, SECOND]
    for check in (True, False):
        with pytest.raises(
            ModuleFailed, match=r"baseline is 2, but nothing of what 001_first\.sql to 002_second\.sql make is there"
        ):
            migrate(database, *files, baseline=2, on_drift=on_drift, check=check)
    assert database.rows("SELECT to_regclass('schema_migrations')::text") == [(None,)]


def test_a_baseline_is_compared_like_what_ran(database: Database) -> None:
    files = [FIRST, SECOND, {"name": "003_more.sql", "sql": "CREATE TABLE more (id int)"}]
    database.rows("CREATE TABLE first (id SERIAL PRIMARY KEY)")
    lacks = "table first lacks column note text"
    with pytest.raises(ModuleFailed, match=f"{lacks}; restore it by hand"):
        migrate(database, *files, baseline=2, on_drift="fail")
    assert database.rows("SELECT to_regclass('schema_migrations')::text") == [(None,)]
    for check in (True, False):
        told = migrate(database, *files, baseline=2, check=check)
        assert told["drift"] == [lacks]
    database.rows("DROP TABLE schema_migrations, more")
    done = [f"repair: {lacks}", *(f"record {one['name']} as run before" for one in files[:2]), "apply 003_more.sql"]
    for check in (True, False):
        assert migrate(database, *files, baseline=2, on_drift="repair", check=check)["actions"] == done
    assert migrate(database, *files, baseline=2, on_drift="fail")["changed"] is False


def test_a_file_that_is_gone_from_the_directory_is_told(database: Database, tmp_path: Path) -> None:
    for one in (FIRST, SECOND):
        (tmp_path / one["name"]).write_text(one["sql"])
    arguments = {**database.login, "directory": str(tmp_path)}
    assert run_module("postgres_migration", arguments)["unknown"] == []
    (tmp_path / FIRST["name"]).unlink()
    for module, check in ((f"postgres_migration{kind}", check) for kind in ("", "_info") for check in (True, False)):
        told = run_module(module, arguments, check=check)
        assert told["unknown"] == [FIRST["name"]]
        assert any("001_first.sql ran on" in one and "restore it, or delete its row" in one for one in told["warnings"])


@pytest.mark.parametrize("check", [True, False])
def test_a_failing_file_leaves_nothing_of_itself(database: Database, check: bool) -> None:
    with pytest.raises(ModuleFailed) as caught:
        migrate(database, FIRST, SECOND, BROKEN, check=check)
    assert 'migration 003_broken.sql line 4: column "nothing" does not exist' in str(caught.value)
    assert database.rows("SELECT to_regclass('third')::text") == [(None,)]
    assert len(contents(database)[1]) == (0 if check else 2)
    if not check:
        assert caught.value.result["actions_done"] == ["apply 001_first.sql", "apply 002_second.sql"]


def test_two_runs_at_once_apply_once(database: Database) -> None:
    slow = {
        "name": "001_slow.sql",
        "sql": "CREATE TABLE slow (id int); SELECT pg_sleep(1); INSERT INTO slow VALUES (1);",
    }
    runs = [start(database, slow) for turn in range(2)]
    results = [json.loads(run.communicate(timeout=60)[0]) for run in runs]
    assert sorted(result["changed"] for result in results) == [False, True]
    assert database.rows("SELECT count(*) FROM slow") == [(1,)]


def start(database: Database, *migrations: dict[str, str]) -> subprocess.Popen[str]:
    """The module in a process of its own."""
    arguments = repr({**database.login, "migrations": list(migrations)})
    code = (
        "import json, tests.conftest\nfrom tests.support.run_module import run_module\n"
        f"print(json.dumps(run_module('postgres_migration', {arguments})))"
    )
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_who_holds_the_lock_is_named(database: Database) -> None:
    holder = rf"holds the lock \(process \d+, user {database.server.user}, from .+, since"
    gate = Gate(database)
    run = start(database, {"name": "001_slow.sql", "sql": "SELECT public.pass_gate();"})
    gate.reached()
    with pytest.raises(ModuleFailed, match=holder):
        migrate(database, FIRST, lock_wait=0.2)
    gate.open()
    run.communicate(timeout=60)


def test_a_table_in_use_is_waited_for_politely(database: Database) -> None:
    migrate(database, FIRST)
    sentence = r"002_second.sql got no lock on a table in use within 0.5 s"
    with holding(database, "SELECT * FROM first"), pytest.raises(ModuleFailed, match=sentence):
        migrate(database, FIRST, SECOND, lock_timeout=100, lock_wait=0.5)
    with holding(database, "SELECT * FROM first", 0.5):
        assert migrate(database, FIRST, SECOND, lock_timeout=100, lock_wait=20)["changed"] is True


def test_a_statement_that_takes_too_long_is_cancelled(database: Database) -> None:
    with pytest.raises(ModuleFailed, match=r"001_slow\.sql line 1: canceling statement due to statement timeout"):
        migrate(database, {"name": "001_slow.sql", "sql": "SELECT pg_sleep(60);"}, statement_timeout=5)


def test_a_name_with_quotes_and_percents_is_only_a_name(database: Database) -> None:
    odd = 'hi"st; %s'
    database.rows('CREATE SCHEMA "my ""schema"')
    percent = {"name": "001_percent.sql", "sql": "CREATE TABLE t AS SELECT '100 %' AS share, $$a;%s$$ AS b;"}
    assert migrate(database, percent, history_table=odd, schema='my "schema')["changed"] is True
    assert migrate(database, percent, history_table=odd, schema='my "schema')["changed"] is False
    assert database.rows('SELECT share, b FROM "my ""schema".t') == [("100 %", "a;%s")]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"login_port": 1}, "does not answer .*; start it, or correct login_host and login_port"),
        ({"login_db": "nowhere"}, "has no database nowhere; create it"),
        ({"schema": "nowhere"}, 'history table nowhere.schema_migrations cannot be created: schema "nowhere" does not'),
    ],
)
def test_wrong_logins_are_told_in_one_sentence(database: Database, wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ModuleFailed, match=sentence):
        migrate(database, FIRST, **wrong)


def test_a_wrong_password_is_told_and_never_shown(database: Database) -> None:
    if database.server.user != "n8n" or not password_is_checked(database):
        pytest.skip("the server given trusts this host")
    with pytest.raises(ModuleFailed) as caught:
        migrate(database, FIRST, login_password="hunter2")
    assert "refuses the password of user n8n; correct login_password" in str(caught.value)
    assert "hunter2" not in json.dumps(caught.value.result)


def password_is_checked(database: Database) -> bool:
    return database.rows("SELECT count(*) FROM pg_hba_file_rules WHERE auth_method NOT IN ('trust', 'peer')")[0][0] > 0

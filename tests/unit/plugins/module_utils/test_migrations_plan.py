"""What a migration file is, and what is to run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Optional

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations import files
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.drift import Difference
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.plan import (
    Applied,
    Policy,
    Seen,
    make_plan,
)


def given(*names: str, sql: str = "SELECT 1;") -> list[dict[str, str]]:
    return [{"name": name, "sql": sql} for name in names]


def applied(*names: str, sql: str = "SELECT 1;") -> list[Applied]:
    return [
        Applied(one.name, one.version, one.checksum, "2026-01-02T03:04:05+00:00", "n8n", 7)
        for one in files.build(given(*names, sql=sql))
    ]


def test_files_run_in_order_of_their_numbers() -> None:
    built = files.build(given("010_c.sql", "1000_d.sql", "002_b.sql", "001_a.sql"))
    assert [one.version for one in built] == [1, 2, 10, 1000]


@pytest.mark.parametrize(
    ("migrations", "sentence"),
    [
        (given("1_a.sql"), "migration '1_a.sql' has no number to order it by; name it like 003"),
        (given("001_a.txt"), "has no number"),
        (given("001_../a.sql"), "has no number"),
        (given("001_a.sql", "001_b.sql"), "001_a.sql and 001_b.sql have the same number 1; give"),
        (given("001_a.sql", "0001_b.sql"), "have the same number 1"),
        (given("001_a.sql", "001_a.sql"), "have the same number 1"),
        (given("001_a.sql", sql="-- nothing"), "contains no SQL statement"),
        (given("001_a.sql", sql="SELECT 1;\n\\i b.sql\n"), "line 2 has \\i, a command of psql"),
        (given("001_a.sql", sql="SELECT 1;\nCOPY a (b) FROM STDIN;\n1\n"), "line 2 has COPY with rows from or to psql"),
        (given("001_a.sql", sql="SELECT 1\0"), "contains a NUL character"),
        (given("001_a.sql", sql="SELECT 1;\ncommit;"), "001_a.sql line 2 has COMMIT; remove it"),
        (given("001_a.sql", sql="START TRANSACTION;"), "line 1 has START; remove it"),
    ],
)
def test_what_cannot_be_a_migration(migrations: list[dict[str, str]], sentence: str) -> None:
    with pytest.raises(StackError) as caught:
        files.build(migrations)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "text", ["SELECT 1;", "\ufeffSELECT 1;\r\n", "SELECT 1;  \n\n\n", "\nSELECT 1;\t\n", "SELECT 1;\r"]
)
def test_what_editors_change_is_no_edit(text: str) -> None:
    assert files.normalise(text) == "SELECT 1;\n"


def test_normalising_twice_changes_nothing() -> None:
    text = "a \r\n\n  b\t\n"
    assert files.normalise(files.normalise(text)) == files.normalise(text)


def test_directory(tmp_path: Path) -> None:
    (tmp_path / "002_b.sql").write_text("SELECT 2;")
    (tmp_path / "001_a.sql").write_text("SELECT 1;")
    (tmp_path / "README.md").write_text("no migration")
    assert [one.name for one in files.build(files.read_directory(str(tmp_path)))] == ["001_a.sql", "002_b.sql"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("", b"", "is no directory"),
        ("d/README.md", b"no migration", r"d holds no \*\.sql file on this host; name one that holds"),
        ("d/001_a.sql", b"\xff", "cannot be read"),
    ],
)
def test_directory_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    if name:
        (tmp_path / "d").mkdir()
        (tmp_path / name).write_bytes(content)
    with pytest.raises(StackError, match=sentence):
        files.read_directory(str(tmp_path / "d"))


A, B, C = "001_a.sql", "002_b.sql", "003_c.sql"


@pytest.mark.parametrize(
    ("history", "have", "pending"),
    [
        ([], [], []),
        ([], [A, B], [A, B]),
        ([A], [A, B], [B]),
        ([A, B], [A, B], []),
        ([A], [B], [B]),
        ([A, B], [B], []),
    ],
)
def test_plan(history: list[str], have: list[str], pending: list[str]) -> None:
    plan = make_plan(Seen(applied(*history)), files.build(given(*have)))
    assert [operation.words for operation in plan.operations] == [f"apply {name}" for name in pending]
    assert list(plan.before["applied"]) == history
    assert list(plan.after["applied"]) == history + pending
    assert len(plan.warnings) == len(set(history) - set(have))


@pytest.mark.parametrize(
    ("history", "have", "sentence"),
    [
        (
            applied(A),
            given(A, sql="SELECT 2;"),
            "001_a.sql was edited after it ran on 2026-01-02T03:04:05+00:00 by",
        ),
        (applied(A), given("001_z.sql"), "001_z.sql has the number of 001_a.sql, which ran on 2026"),
        (applied(A, C), given(A, B, C), "002_b.sql comes after 003_c.sql has run on 2026"),
    ],
)
def test_plan_refuses(history: list[Applied], have: list[dict[str, str]], sentence: str) -> None:
    with pytest.raises(StackError) as caught:
        make_plan(Seen(history), files.build(have))
    assert sentence in str(caught.value)


def test_an_edit_is_told_with_both_checksums() -> None:
    (before,) = applied(A)
    (now,) = files.build(given(A, sql="SELECT 2;"))
    with pytest.raises(StackError) as caught:
        make_plan(Seen([before]), [now])
    assert before.checksum in str(caught.value)
    assert now.checksum in str(caught.value)
    assert caught.value.details["checksum_file"] == now.checksum


def test_out_of_order_where_it_is_allowed() -> None:
    plan = make_plan(Seen(applied(A, C)), files.build(given(A, B, C)), Policy(out_of_order="run"))
    assert list(plan.after["applied"]) == [A, B, C]


def test_a_newer_history_is_a_warning() -> None:
    plan = make_plan(Seen(applied(A, B)), files.build(given(A)))
    assert not plan.changed
    assert "002_b.sql ran on 2026-01-02T03:04:05+00:00 but its file is not among those given" in plan.warnings[0]


R = "R__views.sql"


@pytest.mark.parametrize("gone", [A, R])
def test_a_file_that_is_gone_is_told_on_every_run(gone: str) -> None:
    have = [name for name in (A, B, R) if name != gone]
    plan = make_plan(Seen(applied(A, B, R)), files.build(given(*have)))
    assert not plan.changed
    assert plan.warnings == (
        f"{gone} ran on 2026-01-02T03:04:05+00:00 but its file is not among those given; restore it, or delete its row"
        " from the history if it is gone for good",
    )


def words(seen: Seen, have: list[str], policy: Optional[Policy] = None, sql: str = "SELECT 1;") -> list[str]:
    return [one.words for one in make_plan(seen, files.build(given(*have, sql=sql)), policy).operations]


@pytest.mark.parametrize(
    ("history", "policy", "wanted"),
    [
        (
            [],
            Policy(baseline=2),
            [f"record {A} as run before", f"record {B} as run before", f"apply {C}", f"apply {R}"],
        ),
        ([A], Policy(baseline=2), [f"apply {B}", f"apply {C}", f"apply {R}"]),
        ([A], Policy(target=2), [f"apply {B}"]),
        ([A], Policy(target=3), [f"apply {B}", f"apply {C}", f"apply {R}"]),
        ([A], Policy(target=0), []),
        ([A, C], Policy(out_of_order="skip"), [f"apply {R}"]),
        ([A, C], Policy(out_of_order="run"), [f"apply {B}", f"apply {R}"]),
        ([A, B, C, R], Policy(), []),
    ],
)
def test_what_a_policy_lets_run(history: list[str], policy: Policy, wanted: list[str]) -> None:
    assert words(Seen(applied(*history)), [A, B, C, R], policy) == wanted


def test_a_skipped_file_is_told_on_every_run() -> None:
    plan = make_plan(Seen(applied(A, C)), files.build(given(A, B, C)), Policy(out_of_order="skip"))
    assert not plan.changed
    assert f"{B} was skipped: {C} ran before it" in plan.warnings[0]


def test_a_repeatable_file_runs_again_when_it_changes_or_is_due() -> None:
    assert words(Seen(applied(A, R)), [A, R], sql="SELECT 2;", policy=Policy(repair=frozenset([A]))) == [
        f"accept the edit of {A}",
        f"apply {R}",
    ]
    due = Seen(applied(A, R), due=((R, "a thing is missing"),), kept=("another is kept",))
    plan = make_plan(due, files.build(given(A, R)))
    assert [one.words for one in plan.operations] == [f"apply {R} (a thing is missing)"]
    assert (plan.before["due"], plan.after["due"], plan.warnings) == (["a thing is missing"], [], ("another is kept",))


def test_what_was_begun_without_transaction_runs_again() -> None:
    row = applied(A)[0]
    assert words(Seen([dataclasses.replace(row, success=False)]), [A]) == [f"apply {A}"]


ADDABLE, WRONG = Difference("an index is missing", ("CREATE INDEX",)), Difference("a type is wrong")


@pytest.mark.parametrize(
    ("policy", "drift", "wanted", "warned"),
    [
        ("ignore", (ADDABLE, WRONG), [], 0),
        ("report", (ADDABLE, WRONG), [], 2),
        ("repair", (ADDABLE,), ["repair: an index is missing"], 0),
    ],
)
def test_drift(policy: str, drift: tuple[Difference, ...], wanted: list[str], warned: int) -> None:
    plan = make_plan(Seen(applied(A), drift=drift), files.build(given(A)), Policy(on_drift=policy))
    assert [one.words for one in plan.operations] == wanted
    assert len(plan.warnings) == warned
    assert plan.before["to_repair"] == (["an index is missing"] if wanted else [])
    assert plan.after["to_repair"] == []


@pytest.mark.parametrize(
    ("policy", "drift", "sentence"),
    [
        ("fail", (ADDABLE,), "declare: an index is missing; restore it by hand, or set on_drift to repair"),
        ("repair", (ADDABLE, WRONG), "declare: a type is wrong; this cannot be added without touching what is there"),
        ("fail", (WRONG,) * 7, "and 2 more; restore"),
    ],
)
def test_drift_that_is_refused(policy: str, drift: tuple[Difference, ...], sentence: str) -> None:
    with pytest.raises(StackError) as caught:
        make_plan(Seen(applied(A), drift=drift), files.build(given(A)), Policy(on_drift=policy))
    assert sentence in str(caught.value)
    assert caught.value.details["drift"]


@pytest.mark.parametrize(
    ("migrations", "sentence"),
    [
        (given(R, R), "R__views.sql was given twice"),
        (given(A, sql="-- migrate: sometimes\nSELECT 1"), "says '-- migrate: sometimes', which means nothing"),
        (given(R, sql="-- migrate: no-transaction\nSELECT 1"), "which a repeatable file cannot have; give it a number"),
        (given(A, sql="-- migrate: watch f()\nSELECT 1"), "has to name a function that a repeatable file creates"),
        (given(R, sql="-- migrate: watch f; DROP\nSELECT 1"), "has to name a function"),
        (
            given(A, sql="SELECT 1;\nCREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)"),
            "001_a.sql line 2 has CREATE INDEX CONCURRENTLY, which no transaction allows",
        ),
        (
            given(A, sql="-- migrate: no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY i ON t (a)"),
            "line 2 has CREATE INDEX CONCURRENTLY without IF NOT EXISTS; add it",
        ),
    ],
)
def test_directives_that_cannot_be(migrations: list[dict[str, str]], sentence: str) -> None:
    with pytest.raises(StackError) as caught:
        files.build(migrations)
    assert sentence in str(caught.value)


def test_a_setting_counts_for_the_repeatable_files_that_read_it() -> None:
    sql = "SELECT current_setting('app.mode')"

    def sums(settings: dict[str, str], text: str = sql) -> list[str]:
        return [one.checksum for one in files.build(given(A, R, sql=text), settings)]

    plain, one, other = sums({}), sums({"app.mode": "one"}), sums({"app.mode": "two"})
    assert plain[0] == one[0] == other[0]
    assert len({plain[1], one[1], other[1]}) == 3
    assert sums({"app.mode": "one"}, "SELECT 1") == sums({}, "SELECT 1")


def test_an_unknown_checksum_algorithm_is_no_edit() -> None:
    row = dataclasses.replace(applied(A)[0], checksum_version=9)
    with pytest.raises(StackError, match="recorded with checksum algorithm 9, which this version does not know"):
        make_plan(Seen([row]), files.build(given(A)))


def test_repair_names_only_what_was_given() -> None:
    with pytest.raises(StackError, match=r"repair names 009_x\.sql, which is not among the files given"):
        make_plan(Seen(applied(A)), files.build(given(A)), Policy(repair=frozenset(["009_x.sql"])))

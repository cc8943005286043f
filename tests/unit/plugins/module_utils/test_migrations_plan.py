"""What a migration file is, and what is to run."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations import files
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.plan import Applied, make_plan


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
    ("name", "content", "sentence"), [("", b"", "is no directory"), ("d/001_a.sql", b"\xff", "cannot be read")]
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
    plan = make_plan(applied(*history), files.build(given(*have)))
    assert [operation.words for operation in plan.operations] == [f"apply {name}" for name in pending]
    assert list(plan.before["applied"]) == history
    assert list(plan.after["applied"]) == history + pending
    assert plan.warnings == ()


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
        make_plan(history, files.build(have))
    assert sentence in str(caught.value)


def test_an_edit_is_told_with_both_checksums() -> None:
    (before,) = applied(A)
    (now,) = files.build(given(A, sql="SELECT 2;"))
    with pytest.raises(StackError) as caught:
        make_plan([before], [now])
    assert before.checksum in str(caught.value)
    assert now.checksum in str(caught.value)
    assert caught.value.details["checksum_file"] == now.checksum


def test_out_of_order_where_it_is_allowed() -> None:
    plan = make_plan(applied(A, C), files.build(given(A, B, C)), out_of_order=True)
    assert list(plan.after["applied"]) == [A, B, C]


def test_a_newer_history_is_a_warning() -> None:
    plan = make_plan(applied(A, B), files.build(given(A)))
    assert not plan.changed
    assert "002_b.sql ran on 2026-01-02T03:04:05+00:00 but its file is not among those given" in plan.warnings[0]

"""Splitting SQL text."""

from __future__ import annotations

import time

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.statements import split


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("", []),
        (" ;; \n; ", []),
        ("-- nothing; here\n/* nor; /* here; */ ; */", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1; SELECT 2 ;", ["SELECT 1", "SELECT 2"]),
        ("-- a; b\nSELECT 1; -- c; d\n", ["SELECT 1"]),
        ("SELECT 1 -- why; not\n+ 1;", ["SELECT 1 -- why; not\n+ 1"]),
        ("SELECT ';', 'it''s; ', \"a;\"\"b\"; SELECT 2", ["SELECT ';', 'it''s; ', \"a;\"\"b\"", "SELECT 2"]),
        (r"SELECT E'\'; ', e'\\'; SELECT 2", [r"SELECT E'\'; ', e'\\'", "SELECT 2"]),
        (r"SELECT 'a\'; SELECT 2", [r"SELECT 'a\'", "SELECT 2"]),
        ("DO $$ BEGIN; END $$; SELECT $1", ["DO $$ BEGIN; END $$", "SELECT $1"]),
        ("SELECT $a$ ; $b$ ; $$ ; $a$; SELECT 2", ["SELECT $a$ ; $b$ ; $$ ; $a$", "SELECT 2"]),
        ("SELECT a$b$c; SELECT 2", ["SELECT a$b$c", "SELECT 2"]),
        (
            "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3",
            ["CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)", "SELECT 3"],
        ),
        (
            "CREATE OR REPLACE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; SELECT 3",
            [
                "CREATE OR REPLACE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END",
                "SELECT 3",
            ],
        ),
        ("-- why\rSELECT 1; -- and\r\nSELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT 'never closed; ", ["SELECT 'never closed;"]),
        ("SELECT $$ never closed; ", ["SELECT $$ never closed;"]),
        ("SELECT 1 /* never closed; ", ["SELECT 1 /* never closed;"]),
        ("SELECT 'Žluťoučký; kůň' AS ž; SELECT 2", ["SELECT 'Žluťoučký; kůň' AS ž", "SELECT 2"]),
    ],
)
def test_split(sql: str, wanted: list[str]) -> None:
    assert [statement.text for statement in split(sql)] == wanted


def test_lines_count_from_where_the_statement_starts() -> None:
    sql = "-- head\n\nSELECT 1;\n/* two\nlines */ SELECT\n2;\n\nSELECT 3"
    assert [(statement.line, statement.first_word) for statement in split(sql)] == [
        (3, "SELECT"),
        (5, "SELECT"),
        (8, "SELECT"),
    ]


def test_summary_is_one_short_line() -> None:
    (statement,) = split("SELECT\n   1,\n" + "2," * 100 + "3")
    assert statement.summary.startswith("SELECT 1, 2,2")
    assert len(statement.summary) == 100
    assert statement.summary.endswith("…")


def test_a_long_file_takes_time_in_proportion() -> None:
    def took(statements: int) -> float:
        text = "INSERT INTO t VALUES (1);\n" * statements
        began = time.process_time()
        assert sum(1 for _one in split(text)) == statements
        return time.process_time() - began

    assert took(16_000) < 8 * took(4_000)


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("CREATE TABLE a (b int DEFAULT 1)", True),
        ("CREATE UNIQUE INDEX i ON a (b)", True),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$", True),
        ("COMMENT ON TABLE a IS 'b'", True),
        ("CREATE TABLE a AS SELECT 1", False),
        ("CREATE UNLOGGED TABLE a\nAS SELECT 1", False),
        ("CREATE MATERIALIZED VIEW a AS SELECT 1", False),
        ("INSERT INTO a VALUES (1)", False),
        ("SET standard_conforming_strings = off", False),
        ("DO $$ BEGIN END $$", False),
    ],
)
def test_only_what_surely_says_no_number_of_rows_travels_with_others(sql: str, wanted: bool) -> None:
    (statement,) = split(sql)
    assert statement.makes_no_rows is wanted

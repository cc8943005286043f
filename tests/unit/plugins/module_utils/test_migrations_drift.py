"""What the catalog lacks of a declaration: one table, one difference a case, and whether it can be added."""

from __future__ import annotations

import copy
from typing import Any, Callable

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.drift import compare, plain, quoted

ID = {"name": "id", "type": "integer", "not_null": True, "default": "nextval('t_id_seq'::regclass)"}
STATE = {"name": "state", "type": "character varying(20)", "not_null": False, "default": "'new'::character varying"}
MADE = {"name": "made", "type": "timestamp without time zone", "not_null": False, "default": "now()"}
KEY = {"name": "t_pkey", "kind": "p", "definition": "PRIMARY KEY (id)", "columns": ["id"]}
RULE = {
    "name": "t_state_check",
    "kind": "c",
    "definition": "CHECK (((state)::text = ANY ((ARRAY['new'::character varying, 'old'::character varying])::text[])))",
    "columns": ["state"],
}
INDEX = {
    "name": "i_made",
    "unique": False,
    "valid": True,
    "definition": "btree (made DESC)",
    "constraint": False,
}
FUNCTION = "CREATE OR REPLACE FUNCTION f(x integer)\n RETURNS integer\n LANGUAGE sql\nAS $f$\nSELECT 'a  b' -- why\n$f$"
EMPTY: dict[str, Any] = {"tables": {}, "functions": {}, "views": {}}
DECLARED: dict[str, Any] = {
    "tables": {"t": {"columns": [ID, STATE, MADE], "constraints": [KEY, RULE], "indexes": [INDEX]}},
    "functions": {"f(integer)": FUNCTION},
    "views": {"v": "CREATE OR REPLACE VIEW v AS\nSELECT 1"},
}


def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    live = copy.deepcopy(DECLARED)
    change(live)
    return live


def table(live: dict[str, Any]) -> dict[str, Any]:
    return live["tables"]["t"]


@pytest.mark.parametrize(
    ("change", "words", "repair"),
    [
        (
            lambda live: live["tables"].pop("t"),
            "table t is missing",
            "CREATE TABLE t (id serial NOT NULL, state character varying(20) DEFAULT 'new'::character varying,"
            " made timestamp without time zone DEFAULT now())",
        ),
        (
            lambda live: table(live)["columns"].pop(1),
            "table t lacks column state character varying(20)",
            "ALTER TABLE t ADD COLUMN state character varying(20) DEFAULT 'new'::character varying",
        ),
        (
            lambda live: table(live)["columns"][1].update(type="text"),
            "column t.state is text, declared is character varying(20)",
            None,
        ),
        (
            lambda live: table(live)["columns"][1].update(type="character varying(40)"),
            "column t.state is character varying(40), declared is character varying(20)",
            None,
        ),
        (
            lambda live: table(live)["columns"][1].update(default=None),
            "column t.state has no default, declared is default 'new'::character varying",
            "ALTER TABLE t ALTER COLUMN state SET DEFAULT 'new'::character varying",
        ),
        (
            lambda live: table(live)["columns"][1].update(default="'old'::character varying"),
            "column t.state has default 'old'::character varying, declared is default 'new'::character varying",
            None,
        ),
        (
            lambda live: table(live)["columns"][0].update(default=None),
            "column t.id has no default, declared is default nextval('t_id_seq'::regclass)",
            None,
        ),
        (
            lambda live: table(live)["columns"][0].update(not_null=False),
            "column t.id may be null, declared is not null",
            "ALTER TABLE t ALTER COLUMN id SET NOT NULL",
        ),
        (
            lambda live: table(live)["columns"][1].update(not_null=True),
            "column t.state must not be null, declared is that it may",
            None,
        ),
        (
            lambda live: table(live)["constraints"].pop(0),
            "table t lacks constraint t_pkey PRIMARY KEY (id)",
            "ALTER TABLE t ADD CONSTRAINT t_pkey PRIMARY KEY (id)",
        ),
        (
            lambda live: table(live)["constraints"][1].update(definition="CHECK ((state = 'new'))"),
            f"table t has constraint t_state_check CHECK ((state = 'new')), declared is {RULE['definition']}",
            None,
        ),
        (
            lambda live: table(live)["constraints"][1].update(definition=RULE["definition"] + " NOT VALID"),
            f"table t has constraint t_state_check unvalidated: {RULE['definition']}",
            "ALTER TABLE t VALIDATE CONSTRAINT t_state_check",
        ),
        (
            lambda live: table(live)["indexes"].pop(0),
            "table t lacks index i_made btree (made DESC)",
            "CREATE INDEX i_made ON t USING btree (made DESC)",
        ),
        (
            lambda live: table(live)["indexes"][0].update(definition="btree (made)"),
            "index i_made of table t is btree (made), declared is btree (made DESC)",
            None,
        ),
        (
            lambda live: table(live)["indexes"][0].update(valid=False),
            "index i_made of table t was never finished",
            "DROP INDEX i_made; CREATE INDEX i_made ON t USING btree (made DESC)",
        ),
        (
            lambda live: live["functions"].pop("f(integer)"),
            "function f(integer) is missing",
            FUNCTION,
        ),
        (
            lambda live: live["functions"].update({"f(integer)": FUNCTION + " STABLE"}),
            "function f(integer) has another definition than declared",
            None,
        ),
        (lambda live: live["views"].pop("v"), "view v is missing", DECLARED["views"]["v"]),
    ],
)
def test_one_difference(change: Callable[[dict[str, Any]], Any], words: str, repair: str | None) -> None:
    found = compare(DECLARED, changed(change))
    assert found[0].words == words
    assert "; ".join(found[0].repair) == (repair or "")
    if words != "table t is missing":
        assert len(found) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda live: None,
        lambda live: table(live)["columns"].reverse(),
        lambda live: table(live)["columns"].append({**STATE, "name": "more"}),
        lambda live: table(live)["columns"][0].update(default="nextval('other_seq'::regclass)"),
        lambda live: table(live)["columns"][2].update(default="CURRENT_TIMESTAMP"),
        lambda live: table(live)["constraints"][1].update(name="by_hand"),
        lambda live: table(live)["constraints"][1].update(
            definition="CHECK ((state)::text = ANY (ARRAY['new'::text, 'old'::text]))"
        ),
        lambda live: table(live)["indexes"][0].update(name="by_hand"),
        lambda live: table(live)["indexes"].append({**INDEX, "name": "more", "definition": "btree (state)"}),
        lambda live: live["tables"].update(other={}),
        lambda live: live["functions"].update(
            {"f(integer)": FUNCTION.replace("\n", "\n  ").replace("why", "what for")}
        ),
    ],
)
def test_what_is_written_otherwise_or_comes_on_top_is_no_difference(change: Callable[[dict[str, Any]], Any]) -> None:
    assert compare(DECLARED, changed(change)) == ()


def rule(text: str) -> Callable[[dict[str, Any]], Any]:
    return lambda live: table(live)["constraints"][1].update(definition=text)


REALLY_OTHER = [
    rule("CHECK (((state)::text = ANY ((ARRAY['new'::character varying, 'o ld'::character varying])::text[])))"),
    rule("CHECK ((state)::character varying(1) = ANY (ARRAY['new'::text, 'old'::text]))"),
    rule("CHECK ((state)::bpchar = ANY (ARRAY['new'::text, 'old'::text]))"),
    lambda live: table(live)["columns"][1].update(default="'n ew'::character varying"),
    lambda live: table(live)["columns"][1].update(default="'(new)'::character varying"),
    lambda live: table(live)["columns"][0].update(default=None, special="generated by default as identity"),
    lambda live: table(live).update(special="partitioned"),
    lambda live: live["functions"].update({"f(integer)": FUNCTION.replace("a  b", "a b")}),
]


@pytest.mark.parametrize("change", REALLY_OTHER)
def test_what_means_something_else_is_a_difference_that_nobody_repairs(
    change: Callable[[dict[str, Any]], Any],
) -> None:
    (found,) = compare(DECLARED, changed(change))
    assert found.repair == ()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("CHECK (((a AND b) OR c))", "CHECK ((a AND (b OR c)))", False),
        ("CHECK ((a > (b * (c + d))))", "CHECK ((a > ((b * c) + d)))", False),
        ("CHECK ((lower(a) = 'x'::text))", "CHECK (lower((a)::text) = 'x')", True),
        ("CHECK (((a)::date = b))", "CHECK ((a = b))", False),
        ("CHECK (((a)::text = 'x'::text))", "CHECK ((a = 'x'::character varying))", True),
        ("CHECK ((a = ANY (ARRAY['x'::text, 'y'::text])))", "CHECK ((a = ANY (ARRAY['y'::text, 'x'::text])))", True),
        ("CHECK ((n <> ALL (ARRAY[1, 20])))", "CHECK ((n <> ALL (ARRAY[20, 1])))", True),
        ("CHECK ((a = ANY (ARRAY['x , y'::text, 'z'])))", "CHECK ((a = ANY (ARRAY['z'::text, 'x , y'])))", True),
        ("CHECK ((a = ANY (ARRAY['x'::text, 'y'::text])))", "CHECK ((a = ANY (ARRAY['x'::text, 'z'::text])))", False),
        ("CHECK ((a = ANY (ARRAY['x'::text, 'y'::text])))", "CHECK ((a = ANY (ARRAY['x'::text])))", False),
        ("CHECK ((a = ANY (ARRAY['x , y', 'z , w'])))", "CHECK ((a = ANY (ARRAY['x , w', 'z , y'])))", False),
        ("CHECK ((a = ARRAY['x'::text, 'y'::text]))", "CHECK ((a = ARRAY['y'::text, 'x'::text]))", False),
        ("CHECK ((n = ANY (ARRAY[f(1, 2), 3])))", "CHECK ((n = ANY (ARRAY[f(2, 1), 3])))", False),
    ],
)
def test_an_expression_is_the_same_however_the_server_writes_it(one: str, other: str, same: bool) -> None:
    assert (plain(one) == plain(other)) is same


def test_what_is_more_than_columns_is_never_made_anew() -> None:
    declared = copy.deepcopy(DECLARED)
    table(declared)["special"] = "partitioned"
    assert compare(declared, EMPTY)[0].words == "table t (partitioned) is missing"
    assert compare(declared, EMPTY)[0].repair == ()
    column = {**ID, "name": "n", "default": None, "special": "generated always as identity"}
    table(declared)["columns"].append(column)
    table(declared)["special"] = None
    (found,) = compare(declared, DECLARED)
    assert (found.words, found.repair) == ("table t lacks column n integer generated always as identity", ())


def test_repairs_come_in_an_order_in_which_they_can_run() -> None:
    assert [one.words.split(" (")[0] for one in compare(DECLARED, EMPTY)] == [
        "table t is missing",
        "table t lacks constraint t_pkey PRIMARY KEY",
        "table t lacks constraint t_state_check CHECK",
        "table t lacks index i_made btree",
        "function f(integer) is missing",
        "view v is missing",
    ]


def test_only_what_concerns_a_file_is_looked_at() -> None:
    assert [one.words for one in compare(DECLARED, EMPTY, {"f"}.__contains__)] == ["function f(integer) is missing"]


@pytest.mark.parametrize(
    ("name", "wanted"), [("plain_1", "plain_1"), ("Mixed", '"Mixed"'), ('hi"st', '"hi""st"'), ("a b", '"a b"')]
)
def test_names_are_quoted_where_they_have_to_be(name: str, wanted: str) -> None:
    assert quoted(name) == wanted


TENANT = {"name": "tenant", "type": "integer", "not_null": True, "default": None}
NARROW = {"name": "only_new", "kind": "c", "definition": "CHECK (state = 'new'::text)", "columns": ["state"]}
OWNED = {
    "name": "t_state_fkey",
    "kind": "f",
    "definition": "FOREIGN KEY (state) REFERENCES s(id)",
    "columns": ["state"],
}
ONCE = {**INDEX, "name": "once", "unique": True, "definition": "btree (state)"}


@pytest.mark.parametrize(
    ("kind", "one", "words", "certain"),
    [
        ("columns", TENANT, "table t has column tenant integer not null without default", True),
        ("constraints", NARROW, "table t has constraint only_new CHECK (state = 'new'::text)", True),
        ("constraints", OWNED, "table t has constraint t_state_fkey FOREIGN KEY", False),
        ("indexes", ONCE, "table t has index once unique btree (state)", False),
    ],
)
def test_what_refuses_rows_that_the_files_allow_is_told(kind: str, one: Any, words: str, certain: bool) -> None:
    live = changed(lambda live: table(live)[kind].append(one))
    (found,) = compare(DECLARED, live)
    assert found.words.startswith(words)
    assert (found.repair, found.beyond, found.certain) == ((), True, certain)
    assert compare(DECLARED, live, finally_declared=live) == (), "a later file declares it"


@pytest.mark.parametrize(
    ("kind", "one"),
    [
        ("columns", {**TENANT, "not_null": False}),
        ("columns", {**TENANT, "default": "7"}),
        ("columns", {**TENANT, "special": "generated always as identity"}),
        ("constraints", {**NARROW, "columns": ["tenant"]}),
        ("constraints", {**RULE, "name": "again"}),
        ("indexes", {**ONCE, "unique": False}),
    ],
)
def test_what_refuses_no_row_is_left_alone(kind: str, one: Any) -> None:
    assert compare(DECLARED, changed(lambda live: table(live)[kind].append(one))) == ()

from __future__ import annotations

from typing import Any, Optional

import pytest
from ansible_collections.bestviable.planner_memory.plugins.plugin_utils._variables import (
    holds_secrets,
    names_in_tasks,
    numbered,
    unknown_variables,
    wrong_value,
)

OPTIONS = ["valkey_memory_limit", "valkey_port", "valkey_cpus"]


@pytest.mark.parametrize(
    ("present", "sentences"),
    [
        (["valkey_port", "stack_domain", "valkey", "postgres_x"], []),
        (["valkey_memroy_limit"], ["unknown variable valkey_memroy_limit: did you mean valkey_memory_limit?"]),
        (["valkey_prot"], ["unknown variable valkey_prot: did you mean valkey_port?"]),
        (
            ["valkey_zzzzzzzzzzzzzzzzz"],
            ["unknown variable valkey_zzzzzzzzzzzzzzzzz: role valkey has " + ", ".join(sorted(OPTIONS))],
        ),
        (["valkey_internal", "_valkey_x", "__valkey_y"], []),
        (["valkey_exporter_port"], []),
        (["valkey_exporting"], ["unknown variable valkey_exporting: did you mean valkey_port?"]),
    ],
)
def test_unknown_variables(present: list[str], sentences: list[str]) -> None:
    found = unknown_variables("valkey", present, OPTIONS, ["valkey_internal"], ["valkey", "valkey_exporter", "n8n"])
    assert [one.split(":")[0] for one in found] == [one.split(":")[0] for one in sentences]
    if sentences and "exporting" not in sentences[0]:
        assert found == sentences


def test_variables_that_tasks_make_themselves() -> None:
    tasks = [
        {"name": "a", "ansible.builtin.command": "x", "register": "valkey_result"},
        {
            "block": [{"ansible.builtin.set_fact": {"valkey_fact": 1}, "vars": {"valkey_local": 2}}],
            "rescue": [{"set_fact": {"valkey_other": 1}, "loop_control": {"loop_var": "valkey_item"}}],
        },
    ]
    assert names_in_tasks(tasks) == {"valkey_result", "valkey_fact", "valkey_local", "valkey_other", "valkey_item"}
    assert names_in_tasks(None) == set()


@pytest.mark.parametrize(
    ("value", "spec", "sentence"),
    [
        (6379, {"type": "int"}, None),
        ("6379", {"type": "int"}, None),
        ("abc", {"type": "int"}, "valkey_x is 'abc', which is not a whole number; correct it where you set it"),
        ("maybe", {"type": "bool"}, "valkey_x is 'maybe', which is not true or false; correct it where you set it"),
        ("c", {"choices": ["a", "b"]}, "valkey_x is 'c', which is not one of a, b; correct it where you set it"),
        (None, {"type": "str", "default": "x"}, None),
        ([1], {"type": "list", "elements": "int"}, None),
        ("1,2", {"type": "list"}, "valkey_x is '1,2', which is not a list; correct it where you set it"),
        ("{}", {"type": "dict"}, "valkey_x is '{}', which is not a mapping; correct it where you set it"),
        ("1", {"type": "list", "no_log": True}, "valkey_x has a value that is not a list; correct it where you set it"),
        ({"a": 1}, {"type": "dict"}, None),
    ],
)
def test_wrong_value(value: Any, spec: dict[str, Any], sentence: Optional[str]) -> None:
    assert wrong_value("valkey_x", value, spec) == sentence


SERVICE = {
    "type": "list",
    "elements": "dict",
    "options": {
        "name": {"type": "str", "required": True},
        "port": {"type": "int"},
        "password": {"type": "str", "no_log": True},
    },
}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([{"name": "a", "port": "x"}], "port"),
        ([{"port": 1}], "name"),
        ([{"name": "a", "prot": 1}], "prot"),
        ("text", "services_list"),
    ],
)
def test_nested_values(value: Any, words: str) -> None:
    sentence = wrong_value("services_list", value, SERVICE)
    assert sentence and words in sentence and "\n" not in sentence


@pytest.mark.parametrize(
    ("name", "value", "spec"),
    [
        ("valkey_password", "canary-1", {"type": "int"}),
        ("valkey_x", "canary-1", {"type": "int", "no_log": True}),
        ("valkey_x", "canary-1", {"type": "dict", "options": {"k": {"no_log": True}}}),
        (
            "valkey_x",
            {"k": "a", "port": "canary-1"},
            {"type": "dict", "options": {"k": {"no_log": True}, "port": {"type": "int"}}},
        ),
        (
            "valkey_x",
            [{"token": "canary-1", "zzz": "canary-1"}],
            {"type": "list", "elements": "dict", "options": {"token": {}}},
        ),
        ("valkey_token", "canary-1", {"choices": ["a"]}),
        ("valkey_secret", ["canary-1"], {"type": "list", "elements": "int"}),
    ],
)
def test_no_secret_in_a_sentence(name: str, value: Any, spec: dict[str, Any]) -> None:
    sentence = wrong_value(name, value, spec)
    assert sentence and name in sentence
    assert "canary" not in sentence


def test_what_holds_secrets() -> None:
    assert holds_secrets("postgres_password", {})
    assert not holds_secrets("postgres_password_length", {"no_log": False})
    assert holds_secrets("n8n_credentials_list", {})
    assert holds_secrets("x", {"options": {"y": {"options": {"api_key": {}}}}})
    assert not holds_secrets("valkey_port", {"type": "int"})


def test_one_problem_is_a_sentence_and_more_are_numbered() -> None:
    assert numbered(["only this"]) == "only this"
    assert numbered(["a", "b"]) == "2 things are wrong:\n1. a\n2. b"

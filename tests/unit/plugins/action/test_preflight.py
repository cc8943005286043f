from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.playbook import Run, run_playbook

PREFLIGHT = "bestviable.planner_memory.preflight"
SPEC = {
    "argument_specs": {
        "main": {
            "options": {
                "box_size": {"type": "str", "default": "200m"},
                "box_port": {"type": "int", "default": 1},
                "box_mode": {"type": "str", "choices": ["fast", "safe"], "default": "safe"},
                "box_password": {"type": "str"},
                "box_pin": {"type": "int", "no_log": True},
                "box_made_of": {"type": "str", "default": "{{ nowhere }}"},
                "box_needed": {"type": "str", "required": True, "description": "What is put in."},
            }
        }
    }
}
RULES = [
    {
        "that": "{{ box_size | bestviable.planner_memory.docker_bytes is not none }}",
        "msg": "box_size is '{{ box_size }}', which is no memory size; write it like 200m.",
    },
    {"that": "{{ box_port | int < 10 }}", "msg": "box_port is {{ box_port }}, which is too high."},
    {"that": "{{ box_typo_in_a_rule }}", "msg": "never"},
    {"that": "{{ 'yes please' }}", "msg": "never"},
    {"that": "{{ true }}", "msg": "{{ undefined_but_never_needed }}"},
]


WRITTEN_WRONGLY = [
    ({}, "preflight needs role"),
    ({"role": "x", "rule": []}, "preflight has no option rule"),
    ({"role": "x", "rules": [{"that": True}]}, "rule 1 of role x is not a mapping of that, msg and warn"),
]


def make_role(folder: Path, name: str, rules: list[dict[str, Any]], spec: Any = None, defaults: Any = None) -> None:
    role = folder / "roles" / name
    for part, content in {
        "meta/argument_specs.yml": spec or {"argument_specs": {"main": {"options": {}}}},
        "defaults/main.yml": defaults or {},
        "vars/main.yml": {f"{name}_internal": 1},
        "tasks/main.yml": [{"command": "true", "register": f"{name}_registered"}],
        "tasks/preflight.yml": [
            {"name": "Look", PREFLIGHT: {"role": name, "rules": rules}, "vars": {f"{name}_of_the_task": 1}}
        ],
    }.items():
        (role / part).parent.mkdir(parents=True, exist_ok=True)
        (role / part).write_text(json.dumps(content))


def look(role: str) -> dict[str, Any]:
    return {"import_role": {"name": role, "tasks_from": "preflight.yml"}}


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run over a host whose variables are wrong in every way and one whose variables are right."""
    folder = tmp_path_factory.mktemp("preflight")
    options = SPEC["argument_specs"]["main"]["options"]
    make_role(folder, "box", RULES, SPEC, {name: one["default"] for name, one in options.items() if "default" in one})
    make_role(folder, "box_lid", [])
    make_role(folder, "cup", [{"that": "{{ inventory_hostname == 'two' }}", "msg": "only two will do"}])
    wrong = {
        "box_sise": "canary-value",
        "box_size": "200x",
        "box_port": "abc",
        "box_mode": "canary-choice",
        "box_password": "canary-password",
        "box_pin": "canary-pin",
        "box_registered": 1,
        "box_lid_colour": "red",
        "stack_domain": "example.org",
    }
    only_one = {"when": "inventory_hostname == 'one'"}
    tasks = [
        *({PREFLIGHT: args, "ignore_errors": True, **only_one} for args, _sentence in WRITTEN_WRONGLY),
        {**look("box"), **only_one},
        {**look("box_lid"), **only_one},
        look("cup"),
        {PREFLIGHT: {"report": True}},
        {"debug": {"msg": "went on: {{ inventory_hostname }}"}},
    ]
    plays = [{"hosts": "all", "gather_facts": False, "tasks": tasks}]
    return run_playbook(folder, plays, "-vvv", "--check", hosts={"one": wrong, "two": {}})


def test_everything_that_is_wrong_is_said_at_once(bad: Run) -> None:
    assert bad.rc == 2
    for sentence in (
        "unknown variable box_sise: did you mean box_size?",
        "box_needed is required and nowhere set: What is put in",
        "box_port is 'abc', which is not a whole number",
        "box_mode is 'canary-choice', which is not one of fast, safe",
        "box_pin has a value that is not a whole number",
        "box_made_of cannot be worked out: 'nowhere' is undefined",
        "box_size is '200x', which is no memory size; write it like 200m.",
        "rule 3 of role box cannot be evaluated: 'box_typo_in_a_rule' is undefined",
        "rule 4 of role box gave",
        "unknown variable box_lid_colour: role box_lid has no variables",
        "11 things are wrong:",
    ):
        assert sentence in bad.output, sentence


def test_a_value_is_told_off_once(bad: Run) -> None:
    assert "which is too high" not in bad.output


def test_what_is_nobodys_mistake_is_not_told(bad: Run) -> None:
    for name in ("box_registered", "box_internal", "box_of_the_task", "stack_domain"):
        assert f"unknown variable {name}" not in bad.output
    assert "unknown variable box_lid_colour: did you" not in bad.output


def test_no_secret_shows_even_in_verbose_output(bad: Run) -> None:
    assert "canary-password" not in bad.output
    assert "canary-pin" not in bad.output


def test_no_module_runs(bad: Run) -> None:
    assert "AnsiballZ" not in bad.output and "EXEC" not in bad.output


def test_each_host_is_judged_alone_and_a_clean_one_goes_on(bad: Run) -> None:
    assert "went on: two" in bad.output and "went on: one" not in bad.output
    assert "only two will do" in bad.output


@pytest.mark.parametrize("sentence", [sentence for _args, sentence in WRITTEN_WRONGLY])
def test_a_task_that_is_written_wrongly(bad: Run, sentence: str) -> None:
    assert sentence in bad.output

from __future__ import annotations

import re
from typing import Any, Optional

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.schedule import (
    check_schedule,
    cron_problem,
    zone_problem,
)


@pytest.mark.parametrize(
    "expression",
    [
        "0 18 * * *",
        "0 18 * * 5",
        "*/5 * * * * *",
        "0 0 1,15 jan-mar mon-fri",
        "0 0 29 2 *",
        "0 0 31 2 1",
        "5/10 * * * 7",
        "@daily",
        "={{ $json.cron }}",
        "=0 18 * * *",
    ],
)
def test_what_n8n_can_follow(expression: str) -> None:
    assert cron_problem(expression) is None


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "is empty"),
        (None, "is empty"),
        ("0 25 * * *", "has '25' as hour; it runs from 0 to 23"),
        ("60 * * * *", "as minute; it runs from 0 to 59"),
        ("* * *", "has 3 fields"),
        ("* * * * * * *", "has 7 fields"),
        ("0 0 * * 8", "as day of the week; it runs from 0 to 7"),
        ("0 0 0 * *", "as day of the month; it runs from 1 to 31"),
        ("0 0 * * funday", "the unknown word 'fun'"),
        ("5-1 * * * *", "a range that runs backwards"),
        ("*/0 * * * *", "a step of zero as minute"),
        ("1* * * * *", "* stands alone"),
        ("a1 * * * *", "the unknown word 'a'"),
        ("1-2-3 * * * *", "no number, range, list or step"),
        ("0 0 L * *", "the unknown word 'l'"),
        ("0 0 30 2 *", "names a day that never comes"),
    ],
)
def test_what_n8n_would_take_and_never_run(expression: Any, words: str) -> None:
    assert words in str(cron_problem(expression))


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("Europe/Berlin", None),
        ("Etc/UTC", None),
        ("UTC+2", None),
        ("europe/berlin", None),
        ("Europe/Berln", "did you mean Europe/Berlin?"),
        ("../etc/passwd", "which is no time zone"),
        (2, "which is no text"),
    ],
)
def test_time_zones(zone: Any, words: Optional[str]) -> None:
    found = zone_problem(zone)
    assert found is None if words is None else words in str(found)


def workflow(parameters: Any, kind: str = "scheduleTrigger", **over: Any) -> dict[str, Any]:
    node = {"name": "T", "type": f"n8n-nodes-base.{kind}", "parameters": parameters, **over}
    return {"name": "w", "nodes": [node], "settings": {}}


def cron(expression: str) -> dict[str, Any]:
    return {"rule": {"interval": [{"field": "cronExpression", "expression": expression}]}}


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        (workflow(cron("0 25 * * *")), "workflow 'w', node 'T': the schedule '0 25 * * *' has '25' as hour"),
        (
            workflow({"triggerTimes": {"item": [{"mode": "custom", "cronExpression": "x"}]}}, "cron"),
            "the schedule 'x' has the unknown word 'x'",
        ),
        (
            workflow({"rule": {"interval": [{"field": "minutes", "minutesInterval": 60}]}}),
            "minutesInterval is 60; n8n takes 1 to 59",
        ),
        ({**workflow({}), "settings": {"timezone": "Mars"}}, "workflow 'w': settings.timezone is 'Mars'"),
    ],
)
def test_the_sentence_names_workflow_node_and_value(item: Any, sentence: str) -> None:
    with pytest.raises(StackError, match=re.escape(sentence)):
        check_schedule(item)


@pytest.mark.parametrize(
    "item",
    [
        workflow(cron("0 18 * * *")),
        workflow(cron("x"), disabled=True),
        workflow({"rule": {"interval": [{}]}}),
        workflow({"rule": None}),
        {**workflow({}), "settings": {"timezone": "DEFAULT"}},
    ],
)
def test_what_is_right_or_not_used_is_let_pass(item: Any) -> None:
    check_schedule(item)

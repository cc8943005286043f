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
        (
            "\N{ARABIC-INDIC DIGIT FIVE} * * * *",
            "has '\N{ARABIC-INDIC DIGIT FIVE}' in it; write it with the digits 0 to 9",
        ),
        ("0 18 * * *=", "no number, range, list or step"),
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
        ("", "which is no time zone"),
        ("UTC", None),
        ("utc-12", None),
        ("UTC+5:30", None),
        ("={{ $json.zone }}", None),
        ("UTC+99", "which is nowhere; write UTC-12 to UTC+14"),
        ("UTC-12:30", "which is nowhere"),
        ("UTC+5:75", "which is nowhere"),
        ("UTC+\N{ARABIC-INDIC DIGIT FIVE}", "which is no time zone"),
        ("Factory", "which is the name of no place; write a name such as Europe/Berlin"),
        ("localtime", "which is the name of no place"),
        ("posix/Europe/Berlin", "which is the name of no place"),
        (2, "which is no text"),
    ],
)
def test_time_zones(zone: Any, words: Optional[str]) -> None:
    found = zone_problem(zone)
    assert found is None if words is None else words in str(found)


def workflow(parameters: Any, kind: str = "scheduleTrigger", **over: Any) -> dict[str, Any]:
    node = {"name": "T", "type": f"n8n-nodes-base.{kind}", "parameters": parameters, **over}
    return {"name": "w", "nodes": [node], "settings": {}}


def rule(**given: Any) -> dict[str, Any]:
    return workflow({"rule": {"interval": [given]}})


def old(**given: Any) -> dict[str, Any]:
    return workflow({"triggerTimes": {"item": [given]}}, "cron")


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
        (rule(triggerAtHour=99), "workflow 'w', node 'T': triggerAtHour is 99; n8n takes 0 to 23"),
        (rule(field="hours", triggerAtMinute=75), "triggerAtMinute is 75; n8n takes 0 to 59"),
        (rule(field="weeks", triggerAtDay=[1, 9]), "triggerAtDay is 9; n8n takes 0 to 7"),
        (rule(field="weeks", weeksInterval=53), "weeksInterval is 53; n8n takes 1 to 52"),
        (rule(field="months", triggerAtDayOfMonth=32), "triggerAtDayOfMonth is 32; n8n takes 1 to 31"),
        (rule(field="months", monthsInterval=0), "monthsInterval is 0; n8n takes 1 or more"),
        (rule(triggerAtHour="noon"), "triggerAtHour is 'noon'; n8n takes 0 to 23"),
        (rule(triggerAtHour="99"), "triggerAtHour is '99'; n8n takes 0 to 23"),
        (rule(triggerAtHour=True), "triggerAtHour is True; n8n takes 0 to 23"),
        (rule(field="seconds", secondsInterval=1.5), "secondsInterval is 1.5; n8n takes 1 to 59"),
        (rule(field="hour"), "field is 'hour', which is no kind of schedule; did you mean hours?"),
        (rule(field=["days"]), "field is ['days'], which is no kind of schedule; did you mean days?"),
        (rule(field="x"), "field is 'x', which is no kind of schedule; n8n takes seconds, minutes, hours"),
        (old(mode="everyday"), "mode is 'everyday', which is no kind of schedule; did you mean everyDay?"),
        (old(hour=25), "hour is 25; n8n takes 0 to 23"),
        (old(mode="everyWeek", weekday="9"), "weekday is '9'; n8n takes 0 to 7"),
        (old(mode="everyX", unit="minutes", value=90), "value is 90; n8n takes 1 to 59"),
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
        rule(triggerAtHour=6, triggerAtMinute="30", daysInterval=None),
        rule(field="weeks", triggerAtDay=["mon", 7]),
        rule(field="weeks", triggerAtDay=[], triggerAtHour="={{ $vars.hour }}"),
        rule(field="={{ $vars.field }}"),
        rule(field="seconds", secondsInterval=30, triggerAtHour=99),
        old(mode="everyMonth", dayOfMonth=31, hour=23, minute=59),
        {**workflow({}), "settings": {"timezone": "DEFAULT"}},
    ],
)
def test_what_is_right_or_not_used_is_let_pass(item: Any) -> None:
    check_schedule(item)

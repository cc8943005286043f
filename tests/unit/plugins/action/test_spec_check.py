from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.bestviable.planner_memory.plugins.action.spec_check import ActionModule, as_json

from tests.support.playbook import run_playbook

CHECK = "bestviable.planner_memory.spec_check"
CLOSED = {"tcp": {"host": "127.0.0.1", "port": 1}, "expect": {"open": False}}
OPEN = {"tcp": {"host": "127.0.0.1", "port": 1}, "expect": {"open": True}}


def check(scenario: str, *probes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": scenario, "title": f"Title of {scenario}", "probes": list(probes), **more}


def play(*tasks: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"hosts": "all", "gather_facts": False, **keys, "tasks": list(tasks)}


def test_a_whole_run(tmp_path: Path) -> None:
    secret = {"host": "127.0.0.1", "port": 1, "user": "u", "password": "canary-password", "dbname": "d"}
    collected = [
        {CHECK: {"checks": [{"id": "1.2", "title": "t", "probes": []}]}, "ignore_errors": True},
        {CHECK: {"check": []}, "ignore_errors": True},
        {CHECK: {"checks": [check("10.1", not_built="not yet"), check("1.2", CLOSED)]}},
        {"set_fact": {"x": 1}},
        {CHECK: {"checks": "{{ more }}"}},
    ]
    more = [
        check("1.3", CLOSED, deviates="{{ reason }}"),
        check("2.1", OPEN, {"sql": {"login": secret, "query": "SELECT 1"}, "expect": {"rows": []}}),
        check("2.2", active_probes=[OPEN]),
    ]
    plays = [play(*collected, vars={"more": more, "reason": "448m"}), play({CHECK: {"report": True}})]
    run = run_playbook(tmp_path, plays, "-vvv")
    assert run.rc == 2
    lines = [" ".join(line.split()) for line in run.output.splitlines()]
    table = [line for line in lines if line.split(" ")[0] in ("1.1", "1.2", "1.3", "2.1", "2.2", "10.1")]
    assert table == [
        "1.1 no check Valkey deployment with memory limits",
        "1.2 ok Title of 1.2 · 127.0.0.1:1: open False",
        "1.3 deviates Title of 1.3",
        "2.1 FAILED Title of 2.1",
        "2.2 not tried Title of 2.2",
        "10.1 not built Title of 10.1",
    ]
    assert (
        "1 of 35 scenarios failed on one: 2.1 (1 ok, 1 deviates, 1 not tried, 1 not built, 1 FAILED, 30 no check)"
        in lines
    )
    assert "canary-password" not in run.output
    assert run.output.count("EXEC") == 1
    assert "check 1.2 proves nothing" in run.output
    assert "Unsupported parameters" in run.output


def test_hosts_have_their_own_checks_and_a_report_forgets_them(tmp_path: Path) -> None:
    tasks = [
        {CHECK: {"checks": [check("1.2", OPEN)]}, "when": "inventory_hostname == 'one'"},
        {CHECK: {"checks": [check("1.3", CLOSED)]}, "when": "inventory_hostname == 'two'"},
        {CHECK: {"report": True, "fail": False, "expected_ids": []}, "register": "answer"},
        {"debug": {"msg": "{{ inventory_hostname }}={{ answer.checks | map(attribute='verdict') | join }}"}},
        {
            CHECK: {"checks": [{"id": "4.3", "title": "t", "active_probes": [CLOSED]}]},
            "when": "inventory_hostname == 'two'",
        },
        {CHECK: {"report": True, "active": "{{ true }}", "expected_ids": []}, "register": "answer"},
        {"debug": {"msg": "again {{ inventory_hostname }}={{ answer.checks | map(attribute='verdict') | join }}"}},
    ]
    run = run_playbook(tmp_path, [play(*tasks, serial=2)], hosts={"one": {}, "two": {}})
    assert run.rc == 0, run.output
    for text in ("one=FAILED", "two=ok", "again one=", "again two=ok"):
        assert f'"{text}"' in run.output


def test_check_mode_says_what_would_be_checked_and_tags_limit_what_is_expected(tmp_path: Path) -> None:
    tasks = [
        {CHECK: {"checks": [check("1.2", OPEN), check("1.3", not_built="later")]}, "tags": "valkey"},
        {CHECK: {"report": True}, "tags": "always"},
    ]
    run = run_playbook(tmp_path, [play(*tasks)], "--check", "-vvv", "--tags", "valkey")
    assert run.rc == 0
    assert "1.2   to check" in run.output and "1.3   not built" in run.output
    assert "2 scenarios on one: 1 to check, 1 not built" in run.output
    assert "EXEC" not in run.output


@pytest.mark.parametrize("expect", [{"rows/0/day": datetime.date(2026, 1, 2)}, {datetime.date(2026, 1, 2): True}])
def test_a_date_without_quotes_is_one_sentence(expect: Any) -> None:
    with pytest.raises(AnsibleActionFail, match=r"^a check holds something that is no text.*; put it in quotes"):
        as_json([check("2.1", {**CLOSED, "expect": expect})])


@pytest.mark.parametrize("given", [None, ["1.2"]])
@pytest.mark.parametrize("limits", [{}, {"ansible_run_tags": ["valkey"]}, {"ansible_skip_tags": ["n8n"]}])
def test_what_is_expected(given: Any, limits: dict[str, Any]) -> None:
    expected = ActionModule._expected(given, {"ansible_run_tags": ["all"], "ansible_skip_tags": [], **limits})
    assert len(expected) == (1 if given else 0 if limits else 35)

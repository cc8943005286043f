# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole runs of spec_check that ask this machine, and the table they end with."""

from __future__ import annotations

from pathlib import Path

from tests.support.playbook import run_playbook
from tests.support.spec_check import CHECK, CLOSED, OPEN, check, play


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

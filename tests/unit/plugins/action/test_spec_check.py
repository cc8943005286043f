from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.bestviable.planner_memory.plugins.action.spec_check import ActionModule, as_json

from tests.support.playbook import run_playbook
from tests.support.spec_check import CHECK, CLOSED, OPEN, check, play


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

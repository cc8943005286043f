# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.bestviable.planner_memory.plugins.plugin_utils import _checks as judging
from ansible_collections.bestviable.planner_memory.plugins.plugin_utils._store import RunStore

COLORS = {
    judging.OK: C.COLOR_OK,
    judging.FAILED: C.COLOR_ERROR,
    judging.DEVIATES: C.COLOR_CHANGED,
}


class ActionModule(ActionBase):
    """Remember checks for a host; at the end ask it once, judge, and print."""

    TRANSFERS_FILES = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        _validated, args = self.validate_argument_spec(
            argument_spec={
                "checks": {"type": "list", "elements": "raw", "default": []},
                "report": {"type": "bool", "default": False},
                "active": {"type": "bool", "default": False},
                "fail": {"type": "bool", "default": True},
                "expected_ids": {"type": "list", "elements": "str"},
            },
        )
        host = task_vars.get("inventory_hostname", "localhost")
        store = RunStore("checks", host)
        more = as_json(args["checks"])
        for check in more:
            wrong = judging.complaint(check)
            if wrong:
                raise AnsibleActionFail(wrong)
        checks = judging.merge(store.read(), more)
        result["changed"] = False
        if not args["report"]:
            store.write(checks)
            result["msg"] = f"{len(more)} checks remembered, {len(checks)} so far"
            return result
        store.clear()
        expected = self._expected(args["expected_ids"], task_vars)
        if self._task.check_mode:
            rows = judging.by_scenario(_unasked(checks), expected)
            result["probes_run"] = 0
        else:
            questions = judging.questions(checks, args["active"])
            answers, error = self._ask(questions, task_vars)
            rows = judging.by_scenario(judging.judge(checks, answers, args["active"]), expected)
            result["probes_run"] = len(answers)
            if error:
                result["warnings"] = [f"the host could not be asked: {error}"]
        self._print(host, rows)
        failed = [one for one in rows if one["verdict"] == judging.FAILED]
        result.update(summary=judging.summary(rows), msg=_sentence(host, rows))
        if failed and args["fail"]:
            result["failed"] = True
        else:
            result["checks"] = rows
        return result

    def _ask(self, questions: list[dict[str, Any]], task_vars: dict[str, Any]) -> tuple[list[Any], str]:
        if not questions:
            return [], ""
        said = self._execute_module(
            module_name="bestviable.planner_memory.spec_probe", module_args={"probes": questions}, task_vars=task_vars
        )
        if said.get("failed") or "results" not in said:
            return [], str(said.get("msg") or said.get("module_stderr") or "the module gave no result")
        return said["results"], ""

    @staticmethod
    def _expected(given: Optional[list[str]], task_vars: Mapping[str, Any]) -> list[str]:
        if given is not None:
            return given
        whole = "all" in task_vars.get("ansible_run_tags", ["all"]) and not task_vars.get("ansible_skip_tags")
        return list(judging.SCENARIOS) if whole else []

    def _print(self, host: str, rows: list[dict[str, Any]]) -> None:
        self._display.display("")
        for verdict, line in judging.table(rows):
            self._display.display(line, color=COLORS.get(verdict))
        self._display.display(f"  {_sentence(host, rows)}\n")


def as_json(checks: list[Any]) -> list[Any]:
    def refuse(value: Any) -> None:
        raise TypeError(str(value))

    try:
        return json.loads(json.dumps(checks, default=refuse))
    except TypeError as error:
        raise AnsibleActionFail(
            f"a check holds something that is no text, number, list or mapping ({error}); put it in quotes, as a date."
        ) from None


def _unasked(checks: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        judging.row(check["id"], check["title"], judging.NOT_BUILT, check["not_built"])
        if check.get("not_built")
        else judging.row(check["id"], check["title"], judging.TO_CHECK, "")
        for check in checks
    ]


def _sentence(host: str, rows: list[dict[str, Any]]) -> str:
    numbers = judging.summary(rows)
    counted = ", ".join(f"{number} {verdict}" for verdict, number in numbers.items()) or "nothing to check"
    failed = [one["id"] for one in rows if one["verdict"] == judging.FAILED]
    if failed:
        return f"{len(failed)} of {len(rows)} scenarios failed on {host}: {', '.join(failed)} ({counted})"
    return f"{len(rows)} scenarios on {host}: {counted}"

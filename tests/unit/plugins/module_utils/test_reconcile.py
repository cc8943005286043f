from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import ReadBackError, StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import (
    Operation,
    Plan,
    differences,
    reconcile,
)


class Shelf:
    """A resource over a dict: each key is set or dropped in a step of its own."""

    def __init__(self, live: dict[str, Any], wanted: dict[str, Any], *, deaf: str = "", broken: str = "") -> None:
        self.live, self.wanted, self.deaf, self.broken = live, wanted, deaf, broken
        self.applied: list[str] = []

    def observe(self) -> dict[str, Any]:
        return dict(self.live)

    def plan(self, current: dict[str, Any]) -> Plan:
        steps = [
            Operation("set", key, f"set {key}", {"value": value})
            for key, value in sorted(self.wanted.items())
            if current.get(key) != value
        ]
        return Plan(before=current, after={**current, **self.wanted}, operations=tuple(steps))

    def apply(self, operation: Operation) -> None:
        if operation.target == self.broken:
            raise StackError(f"{operation.target} is broken")
        self.applied.append(operation.target)
        if operation.target != self.deaf:
            self.live[operation.target] = operation.args["value"]


def test_check_mode_predicts_what_the_run_reports_and_applies_nothing() -> None:
    checked, real = Shelf({"a": 1}, {"a": 2, "b": 3}), Shelf({"a": 1}, {"a": 2, "b": 3})
    assert reconcile(checked, check_mode=True) == reconcile(real, check_mode=False)
    assert checked.applied == [] and checked.live == {"a": 1}
    assert real.applied == ["a", "b"] and real.live == {"a": 2, "b": 3}


def test_nothing_to_do_is_unchanged_with_equal_diff_sides() -> None:
    result = reconcile(Shelf({"a": 1}, {"a": 1}), check_mode=False)
    assert result == {"changed": False, "actions": [], "diff": {"before": {"a": 1}, "after": {"a": 1}}, "warnings": []}


def test_a_server_that_ignores_a_write_is_found_out() -> None:
    with pytest.raises(ReadBackError, match="b: wanted 3, seen None") as caught:
        reconcile(Shelf({}, {"a": 1, "b": 3}, deaf="b"), check_mode=False)
    assert caught.value.details["changed"] is True


def test_a_failing_step_names_what_was_done_before_it() -> None:
    with pytest.raises(StackError, match="b is broken") as caught:
        reconcile(Shelf({}, {"a": 1, "b": 2, "c": 3}, broken="b"), check_mode=False)
    assert caught.value.details == {"changed": True, "actions_done": ["set a"], "action_failed": "set b"}


def test_a_first_step_that_fails_changed_nothing() -> None:
    with pytest.raises(StackError) as caught:
        reconcile(Shelf({}, {"a": 1, "b": 2}, broken="a"), check_mode=False)
    assert caught.value.details == {"changed": False, "actions_done": [], "action_failed": "set a"}


def test_settle_and_result_are_used_where_a_resource_has_them() -> None:
    class Slow(Shelf):
        def settle(self, plan: Plan) -> Any:
            self.live.update(plan.after)
            return self.observe()

        def result(self, state: Any) -> dict[str, Any]:
            return {"keys": sorted(state)}

    assert reconcile(Slow({}, {"a": 1}, deaf="a"), check_mode=False)["keys"] == ["a"]
    assert reconcile(Slow({}, {"a": 1}), check_mode=True)["keys"] == ["a"]


def test_a_rehearsal_happens_only_in_check_mode_and_only_with_something_to_do() -> None:
    class Careful(Shelf):
        def rehearse(self, plan: Plan) -> None:
            raise StackError(f"{plan.operations[0].target} would fail")

    with pytest.raises(StackError, match="a would fail"):
        reconcile(Careful({}, {"a": 1}), check_mode=True)
    assert reconcile(Careful({}, {"a": 1}), check_mode=False)["changed"] is True
    assert reconcile(Careful({"a": 1}, {"a": 1}), check_mode=True)["changed"] is False


@pytest.mark.parametrize(
    ("wanted", "seen", "found"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, ["a.b[1]: wanted 2, seen 3"]),
        ([1], [1, 2], ["state: wanted [1], seen [1, 2]"]),
        ({"a": None}, {}, []),
        ({}, {"extra": True}, ["extra: wanted None, seen True"]),
    ],
)
def test_differences(wanted: Any, seen: Any, found: list[str]) -> None:
    assert differences(wanted, seen) == found

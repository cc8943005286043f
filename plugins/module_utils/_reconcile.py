# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one way to reconcile: observe, plan, apply, read back, report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Protocol, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import Moved, ReadBackError, StackError

PLANS = 3  # of one run, where what is to be written moves meanwhile


@dataclass(frozen=True)
class Operation:
    """One step towards the desired state.

    ``verb`` is what a resource dispatches on, ``target`` the thing that is changed,
    ``words`` the line a person reads in ``actions``, ``args`` whatever applying it needs.
    """

    verb: str
    target: str
    words: str
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What there is, what there will be, and the steps between; nothing to do when there are no steps."""

    before: Any
    after: Any
    operations: tuple[Operation, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.operations)


class Resource(Protocol):
    """What a module brings: three edges to the world and one pure decision."""

    def observe(self) -> Any:
        """Read the live thing in normal form: JSON-able, sorted, managed fields only, no secrets."""

    def plan(self, current: Any) -> Plan:
        """Decide without any I/O."""

    def apply(self, operation: Operation) -> None:
        """Carry out one step."""


def reconcile(resource: Resource, *, check_mode: bool) -> dict[str, Any]:
    """Bring a resource to its desired state.

    Where a step raises ``Moved``, the rest is planned anew from what is there now, and the third time told.

    A resource may also have ``settle(plan)``, which observes until the world has caught up with ``plan.after``
    (default: observe once), ``rehearse(plan)``, the server's own dry run, called in check mode when there is something
    to do, and ``result(state)``, which adds return values computed from the last state.

    :returns: changed, actions, diff, warnings and what ``result`` adds; the same keys in check mode and in a run
    :raises ReadBackError: when the state that is read afterwards is not ``plan.after``
    :raises StackError: when a step fails; ``actions_done`` names the steps before it, ``changed`` says whether
    """
    plan = resource.plan(resource.observe())
    state = plan.after
    if plan.changed and check_mode and hasattr(resource, "rehearse"):
        resource.rehearse(plan)
    if plan.changed and not check_mode:
        last, plan = _carry_out(resource, plan)
        try:
            state = _read_back(resource, last)
        except StackError as error:
            error.details.setdefault("changed", True)
            raise
    extra = resource.result(state) if hasattr(resource, "result") else {}
    return {
        "changed": plan.changed,
        "actions": [operation.words for operation in plan.operations],
        "diff": {"before": plan.before, "after": plan.after},
        "warnings": list(plan.warnings),
        **extra,
    }


def _read_back(resource: Resource, last: Plan) -> Any:
    state = resource.settle(last) if hasattr(resource, "settle") else resource.observe()
    wrong = differences(last.after, state)
    if wrong:
        raise ReadBackError(
            "every call succeeded, but the live state is not what was asked: " + "; ".join(wrong[:5]), differences=wrong
        )
    return state


def _carry_out(resource: Resource, plan: Plan) -> tuple[Plan, Plan]:
    """The plan that was carried out last, and what was done in all."""
    done: list[Operation] = []
    before, after = plan.before, plan.after
    for turn in range(1, PLANS + 1):
        try:
            _apply_all(resource, plan.operations, done)
            break
        except Moved:
            if turn == PLANS:
                raise
        try:
            plan = resource.plan(resource.observe())
        except StackError as error:
            error.details.update(changed=bool(done), actions_done=[operation.words for operation in done])
            raise
        targets = {operation.target for operation in done}
        before, after = _together(before, plan.before, targets), _together(after, plan.after, targets)
    return plan, Plan(before, after, tuple(done), plan.warnings)


def _together(first: Mapping[str, Any], second: Mapping[str, Any], done: set[str]) -> dict[str, Any]:
    """One side of the difference of two plans, of the first only what was done."""
    return {**second, **{name: {**first[name], **second.get(name, {})} for name in done & set(first)}}


def _apply_all(resource: Resource, operations: Sequence[Operation], done: list[Operation]) -> None:
    for operation in operations:
        try:
            resource.apply(operation)
        except StackError as error:
            done_so_far = [one.words for one in done]
            error.details.update(changed=bool(done), actions_done=done_so_far, action_failed=operation.words)
            raise
        done.append(operation)


def differences(wanted: Any, seen: Any, path: str = "") -> list[str]:
    """Every leaf in which two normal forms differ, as ``path: wanted …, seen …``."""
    if isinstance(wanted, Mapping) and isinstance(seen, Mapping):
        found: list[str] = []
        for key in sorted({*wanted, *seen}, key=str):
            found += differences(wanted.get(key), seen.get(key), f"{path}.{key}" if path else str(key))
        return found
    if isinstance(wanted, list) and isinstance(seen, list) and len(wanted) == len(seen):
        return [
            line
            for index, (left, right) in enumerate(zip(wanted, seen))
            for line in differences(left, right, f"{path}[{index}]")
        ]
    return [] if wanted == seen else [f"{path or 'state'}: wanted {wanted!r}, seen {seen!r}"]


def run_module(module: Any, build: Callable[[], Resource]) -> None:
    """The end of every module's ``main()``.

    ``build`` connects, so that a mistake in the arguments is told before anything is contacted.
    """
    try:
        result = reconcile(build(), check_mode=module.check_mode)
    except StackError as error:
        module.fail_json(msg=str(error), **error.details)
    for warning in result.pop("warnings"):
        module.warn(warning)
    module.exit_json(**result)


def run_info(module: Any, read: Callable[[], dict[str, Any]]) -> None:
    """The end of ``main()`` in a module that only looks; what is read may bring ``warnings``."""
    try:
        found = read()
    except StackError as error:
        module.fail_json(msg=str(error), **error.details)
    for warning in found.pop("warnings", []):
        module.warn(warning)
    module.exit_json(changed=False, **found)

"""Under which name a workflow was made, and by which declaration: calls of their own leave one another's alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.flows import flow, node, simple
from tests.support.n8n_double import N8nDouble
from tests.support.n8n_double import run_workflows as run
from tests.support.run_module import ModuleFailed

pytestmark = pytest.mark.usefixtures("at_once")


def with_ids(item: dict[str, Any]) -> dict[str, Any]:
    """As an export has them, and each copy of it."""
    return {**item, "nodes": [{**one, "id": f"exported-{number}"} for number, one in enumerate(item["nodes"])]}


def alarm(name: str) -> dict[str, Any]:
    return with_ids(flow(name, node("Failed", "errorTrigger", 1), node("Nothing", "noOp", 1)))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (with_ids(simple("a", "x")), with_ids(simple("b", "y"))),
        (alarm("a"), alarm("b")),
    ],
    ids=["webhooks", "the-very-same"],
)
def test_copies_of_one_export_in_two_calls_leave_each_other_alone(first: Any, second: Any) -> None:
    double = N8nDouble()
    made = [run(double, item)["workflows"][item["name"]]["id"] for item in (first, second)]
    assert len(set(made)) == 2
    double.writes = []
    for item in (first, second, first):
        assert run(double, item)["changed"] is False
    assert double.writes == []
    double.workflows[made[1]]["name"] = "renamed by hand"
    assert run(double, first)["changed"] is False
    assert run(double, second)["actions"] == ["update workflow 'b': name (n8n has it as 'renamed by hand')"]


def test_another_name_in_the_declaration_is_the_same_workflow_only_with_prune() -> None:
    double = N8nDouble()
    known = run(double, simple("w", "x"))["workflows"]["w"]["id"]
    double.writes = []
    sentence = (
        r"'v', node 'Hook' wants POST /webhook/x, which belongs to the workflow 'w' .*; where 'w' is its former name, "
        "rename it in n8n, or set prune, with which the tag 'ours' is this declaration's alone"
    )
    for check in (True, False):
        with pytest.raises(ModuleFailed, match=sentence):
            run(double, simple("v", "x"), check=check)
    assert double.writes == []
    assert run(double, simple("v", "x"), prune=True)["workflows"]["v"]["id"] == known

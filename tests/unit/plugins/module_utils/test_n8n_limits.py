from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.definition import check_wanted

from tests.support.flows import flow, hook, node


def webhook(method: Any, **over: Any) -> dict[str, Any]:
    return flow("w", {**hook("x"), "parameters": {"path": "x", "httpMethod": method}, **over}, node("No", "noOp", 1))


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        (webhook("FETCH"), "workflow 'w', node 'Hook': httpMethod is 'FETCH'; "),
        (webhook("post"), "httpMethod is 'post'; did you mean POST?"),
        (webhook(["GET", "READ"]), "httpMethod is 'READ'; "),
        (webhook(7), "httpMethod is 7; n8n takes DELETE, GET, HEAD, PATCH, POST, PUT"),
        (flow("w", hook("x"), timeZone="UTC"), "workflow 'w': n8n knows no setting 'timeZone'; did you mean timezone?"),
        (flow("w", hook("x"), colour="red"), "n8n knows no setting 'colour'; remove it"),
        (flow("w", hook("x"), executionOrder="v9"), "settings.executionOrder is 'v9'; n8n takes v0 or v1"),
        (flow("w", hook("x"), executionTimeout="30"), "settings.executionTimeout is '30'; n8n takes a number"),
        (flow("w", hook("x"), availableInMCP="no"), "settings.availableInMCP is 'no'; n8n takes true or false"),
        (flow("w", hook("x"), callerIds=[1]), "settings.callerIds is [1]; n8n takes a text"),
        (
            flow("w", hook("x"), saveDataErrorExecution="some"),
            "is 'some'; n8n takes all or none",
        ),
    ],
)
def test_what_n8n_would_not_follow_is_told(item: dict[str, Any], sentence: str) -> None:
    with pytest.raises(StackError, match=re.escape(sentence)):
        check_wanted([item], content=True)


@pytest.mark.parametrize(
    "item",
    [
        webhook("HEAD"),
        webhook(["GET", "POST"]),
        webhook("={{ 'GET' }}"),
        webhook("FETCH", disabled=True),
        flow("w", hook("x"), timezone="DEFAULT", executionTimeout=-1, errorWorkflow="DEFAULT", binaryMode="separate"),
        flow("w", hook("x"), callerPolicy="workflowsFromAList", callerIds="1, 2", timeSavedPerExecution=2.5),
    ],
)
def test_what_n8n_takes_passes(item: dict[str, Any]) -> None:
    check_wanted([item], content=True)

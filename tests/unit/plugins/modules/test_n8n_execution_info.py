from __future__ import annotations

from typing import Any, Optional

import pytest
import responses
from responses.matchers import query_param_matcher

from tests.support.run_module import ModuleFailed, run_module

BASE = "http://n8n.test:5678"
API = f"{BASE}/api/v1/executions"
KEYED = {"url": BASE, "api_key": "canary-key"}


def workflows(*names: str) -> None:
    listed = [{"id": f"w{number}", "name": name, "nodes": []} for number, name in enumerate(names, start=1)]
    responses.get(f"{BASE}/api/v1/workflows", json={"data": listed, "nextCursor": None})


def execution(execution_id: str, status: str = "success", **over: Any) -> dict[str, Any]:
    times = {"startedAt": "t0", "stoppedAt": "t1"}
    return {"id": execution_id, "workflowId": "w1", "status": status, "mode": "webhook", **times, **over}


def page(*items: dict[str, Any], cursor: Optional[str] = None, **query: str) -> None:
    responses.get(API, json={"data": list(items), "nextCursor": cursor}, match=[query_param_matcher(query)])


def failed(execution_id: str, error: dict[str, Any]) -> None:
    data = {"resultData": {"error": error, "lastNodeExecuted": "Call", "runData": {"Call": "canary-payload"}}}
    responses.get(f"{API}/{execution_id}", json={"id": execution_id, "data": data})


@responses.activate
def test_what_failed_is_told_with_n8ns_first_words() -> None:
    workflows("w")
    page(execution("3", "error"), execution("2"), execution("1", "crashed", workflowId="gone"), limit="20")
    failed("3", {"message": "The service refused the connection", "messages": ["connect ECONNREFUSED"]})
    responses.get(f"{API}/1", status=404, json={"message": "Not Found"})
    found = run_module("n8n_execution_info", KEYED)
    told = found["executions"]
    assert [item["error"] for item in told] == [{"message": "connect ECONNREFUSED", "node": "Call"}, None, None]
    assert [item["workflow"] for item in told] == ["w", "w", None]
    assert told[1] == {
        "id": "2",
        "workflow_id": "w1",
        "workflow": "w",
        "status": "success",
        "mode": "webhook",
        "started_at": "t0",
        "stopped_at": "t1",
        "error": None,
    }
    assert found["changed"] is False
    assert "canary" not in str(found).replace("canary-key", "")


@responses.activate
def test_filters_are_n8ns_and_pages_end_at_the_limit() -> None:
    workflows("v", "w")
    first = [execution(str(number)) for number in range(250)]
    page(*first, cursor="p2", workflowId="w2", status="success", limit="250")
    query = {"workflowId": "w2", "status": "success", "limit": "1", "cursor": "p2"}
    responses.get(API, json={"data": [execution("x")], "nextCursor": "p3"}, match=[query_param_matcher(query)])
    asked = {"workflow": "w", "status": "success", "limit": 251}
    assert len(run_module("n8n_execution_info", {**KEYED, **asked})["executions"]) == 251


@responses.activate
@pytest.mark.parametrize(
    ("names", "asked", "words"),
    [
        (["w"], {"workflow": "gone"}, "n8n has no workflow named 'gone'; correct the name"),
        (["w", "w"], {"workflow": "w"}, r"more than one workflow named 'w' \(ids w1, w2\); give workflow_id"),
        (["w"], {"limit": 0}, "limit is 0; give a number above 0"),
    ],
)
def test_what_cannot_be_asked(names: list[str], asked: dict[str, Any], words: str) -> None:
    workflows(*names)
    with pytest.raises(ModuleFailed, match=words):
        run_module("n8n_execution_info", {**KEYED, **asked})


@responses.activate
def test_a_secret_in_a_message_is_masked() -> None:
    workflows("w")
    page(execution("3", "error"), limit="20", workflowId="w1")
    failed("3", {"message": "https://hooks.test/canary-secret answered 500"})
    found = run_module("n8n_execution_info", {**KEYED, "workflow_id": "w1", "secrets": ["canary-secret"]})
    assert "canary-secret" not in str(found["executions"])
    assert "answered 500" in found["executions"][0]["error"]["message"]


@responses.activate
def test_a_key_that_may_not_is_told_its_scope() -> None:
    workflows("w")
    responses.get(API, status=403, json={"message": "Forbidden"})
    with pytest.raises(ModuleFailed, match="it lacks the scope execution:list"):
        run_module("n8n_execution_info", KEYED)

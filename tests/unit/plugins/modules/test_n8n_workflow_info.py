from __future__ import annotations

from typing import Any

import pytest
import responses

from tests.support.run_module import ModuleFailed, run_module
from tests.unit.plugins.modules.test_n8n_workflow import API, BASE, HOOK, draft, live

KEYED = {"url": BASE, "api_key": "canary-key"}
LOGIN = {"owner_email": "david@example.com", "owner_password": "Canary-owner-1"}


def listing(*items: dict[str, Any]) -> None:
    responses.get(API, json={"data": list(items), "nextCursor": None})


@responses.activate
@pytest.mark.parametrize(
    ("asked", "names"), [({}, ["v", "w"]), ({"names": ["w", "gone"]}, ["w"]), ({"tag": "ours"}, ["v"])]
)
def test_workflows_are_told_by_name_and_tag(asked: dict[str, Any], names: list[str]) -> None:
    listing(live(), draft(workflow_id="w2", name="v", tags=[{"id": "t1", "name": "ours"}]))
    found = run_module("n8n_workflow_info", {**KEYED, **asked})
    assert [item["name"] for item in found["workflows"]] == names
    assert found["changed"] is False


@responses.activate
def test_what_is_told_of_one() -> None:
    listing(live())
    assert run_module("n8n_workflow_info", KEYED)["workflows"] == [
        {
            "id": "w1",
            "name": "w",
            "publication": "published",
            "tags": [],
            "webhooks": [HOOK],
            "version_id": "v1",
            "active_version_id": "v1",
            "updated_at": "t",
        }
    ]


@responses.activate
def test_a_definition_refers_by_name() -> None:
    called = {
        "name": "Call",
        "type": "n8n-nodes-base.executeWorkflow",
        "parameters": {"workflowId": {"mode": "list", "value": "w2", "cachedResultName": "an old name"}},
    }
    item = live(settings={"executionOrder": "v1", "errorWorkflow": "w2", "binaryMode": "separate"})
    item["nodes"].append(called)
    listing(item, draft(workflow_id="w2", name="sub"))
    found = run_module("n8n_workflow_info", {**KEYED, "names": ["w"], "definitions": True})
    told = found["workflows"][0]["definition"]
    assert set(told) == {"name", "nodes", "connections", "settings"}
    assert told["settings"] == {"executionOrder": "v1", "errorWorkflow": "sub"}
    assert told["nodes"][1]["credentials"] == {"postgres": {"name": "pg"}}
    assert told["nodes"][2]["parameters"]["workflowId"]["cachedResultName"] == "sub"
    assert told["nodes"][2]["parameters"]["workflowId"]["value"] == ""


@responses.activate
@pytest.mark.parametrize("answer", [{"status": 404, "json": {}}, {"body": "<html>"}])
def test_an_n8n_that_does_not_tell_of_triggers(answer: dict[str, Any]) -> None:
    listing(live())
    responses.post(f"{BASE}/rest/login", json={}, headers={"Set-Cookie": "n8n-auth=session; Path=/"})
    responses.get(f"{BASE}/rest/workflows/w1/publication-status", **answer)
    assert run_module("n8n_workflow_info", {**KEYED, **LOGIN})["workflows"][0]["triggers"] is None


@responses.activate
def test_the_owner_is_told_of_each_trigger_also_in_check_mode() -> None:
    listing(live())
    responses.post(f"{BASE}/rest/login", json={}, headers={"Set-Cookie": "n8n-auth=session; Path=/"})
    status = {"status": "failed", "triggers": [{"nodeId": "n0", "status": "failed", "errorMessage": "no room"}]}
    responses.get(f"{BASE}/rest/workflows/w1/publication-status", json={"data": status})
    found = run_module("n8n_workflow_info", {**KEYED, **LOGIN}, check=True)
    assert found["workflows"][0]["triggers"] == {
        "status": "failed",
        "nodes": [{"node": "Hook", "status": "failed", "error": "no room"}],
    }


@responses.activate
def test_another_server_is_one_sentence() -> None:
    responses.get(API, body="<html>", content_type="text/html")
    with pytest.raises(ModuleFailed, match="is no API of n8n"):
        run_module("n8n_workflow_info", KEYED)

from __future__ import annotations

import json
from typing import Any, Optional

import pytest
import responses
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n import publishing
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.policy import publication
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.relations import node_id
from responses.matchers import json_params_matcher, query_param_matcher
from responses.registries import OrderedRegistry

from tests.support.run_module import ModuleFailed, run_module

BASE = "http://n8n.test:5678"
API = f"{BASE}/api/v1/workflows"
HOOK = f"{BASE}/webhook/events/log"
REGISTERED = "This webhook is not registered for GET requests. Did you mean to make a POST request?"
NOT_YET = 'The requested webhook "GET events/log" is not registered.'
PG = {"id": "c1", "name": "pg", "type": "postgres"}


pytestmark = pytest.mark.usefixtures("impatient")


def definition(**over: Any) -> dict[str, Any]:
    nodes = [
        {
            "name": "Hook",
            "type": "n8n-nodes-base.webhook",
            "typeVersion": 2.1,
            "position": [0, 0],
            "parameters": {"path": "events/log", "httpMethod": "POST"},
        },
        {
            "name": "PG",
            "type": "n8n-nodes-base.postgres",
            "typeVersion": 2.7,
            "position": [0, 0],
            "parameters": {"query": over.pop("query", "SELECT 1")},
            "credentials": {"postgres": {"id": None, "name": "pg"}},
        },
    ]
    return {"name": "w", "nodes": nodes, "connections": {}, "settings": {"executionOrder": "v1"}, **over}


def live(workflow_id: str = "w1", **over: Any) -> dict[str, Any]:
    state = {key: over.pop(key) for key in ("active", "activeVersionId", "isArchived") if key in over}
    item = definition(**over)
    for number, node in enumerate(item["nodes"]):
        node["id"] = f"n{number}"
    item["nodes"][0]["webhookId"] = "h0"
    item["nodes"][1]["credentials"] = {"postgres": {"id": "c1", "name": "pg"}}
    return {
        "id": workflow_id,
        "active": True,
        "versionId": "v1",
        "activeVersionId": "v1",
        "isArchived": False,
        "updatedAt": "t",
        **item,
        **state,
    }


def draft(**over: Any) -> dict[str, Any]:
    return live(active=False, activeVersionId=None, **over)


def listing(*items: dict[str, Any], credentials: Optional[list[dict[str, str]]] = None) -> None:
    responses.get(
        API,
        json={"data": list(items), "nextCursor": None},
        match=[query_param_matcher({"limit": "250", "excludePinnedData": "true"})],
    )
    if credentials is not None:
        responses.get(f"{BASE}/api/v1/credentials", json={"data": credentials, "nextCursor": None})


def looked(item: Optional[dict[str, Any]] = None) -> None:
    """A workflow is looked at once more before it is written."""
    responses.get(f"{API}/w1", json=item or live())


def made(item: dict[str, Any], *others: dict[str, Any], **asked: Any) -> None:
    """A workflow is created, and who else has its name is asked for."""
    responses.post(API, json=item, **asked)
    query = {"limit": "250", "name": item["name"], "excludePinnedData": "true"}
    found = {"data": [item, *others], "nextCursor": None}
    responses.get(API, json=found, match=[query_param_matcher(query)])


def sent(query: str = "SELECT 1", *, ids: bool = True, **over: Any) -> dict[str, Any]:
    source = live(query=query, **over)
    body = {key: source[key] for key in ("name", "nodes", "connections", "settings")}
    if not ids:
        for node in body["nodes"]:
            node["id"] = node_id("w", node["name"])
        body["nodes"][0]["webhookId"] = body["nodes"][0]["id"]
    return body


def publish() -> None:
    responses.post(f"{API}/w1/publish", json={}, match=[json_params_matcher({})])


def probe(*messages: str) -> None:
    for message in messages:
        responses.get(HOOK, status=404, json={"code": 404, "message": message})


def run(state: str, *, check: bool = False, **over: Any) -> dict[str, Any]:
    params = {"url": BASE, "api_key": "canary-key", "definition": definition(), "state": state, **over}
    given = {key: value for key, value in params.items() if value is not None}
    return run_module("n8n_workflow", given, check=check)


def ordered(test: Any) -> Any:
    return responses.activate(registry=OrderedRegistry, assert_all_requests_are_fired=True)(test)


@ordered
def test_what_is_as_declared_costs_one_listing_each() -> None:
    listing(live(), live(workflow_id="x", name="another"), credentials=[PG])
    result = run("published")
    assert result["changed"] is False
    assert result["diff"] == {"before": {}, "after": {}}
    assert result["workflows"] == {"w": {"id": "w1", "active": True, "webhooks": [HOOK]}}


@ordered
def test_a_new_workflow_is_created_published_and_proven() -> None:
    listing(credentials=[PG])
    made(draft(), match=[json_params_matcher(sent(ids=False))])
    publish()
    probe(NOT_YET, REGISTERED)
    listing(live(), credentials=[PG])
    result = run("published")
    keyed = {call.request.path_url.split("?")[0]: "X-N8N-API-KEY" in call.request.headers for call in responses.calls}
    assert keyed.pop("/webhook/events/log") is False and all(keyed.values())
    assert result["actions"] == ["create workflow 'w' with 2 nodes", "publish workflow 'w'"]
    assert result["diff"]["before"] == {}
    assert result["diff"]["after"]["w"]["publication"] == "published"


@ordered
def test_a_description_needs_a_second_call_for_a_new_workflow() -> None:
    listing(credentials=[PG])
    made(draft())
    looked(draft())
    responses.put(f"{API}/w1", json=draft(), match=[json_params_matcher({**sent(), "description": "words"})])
    listing(draft())
    responses.get(f"{API}/w1", json=draft(description="words"))
    responses.get(f"{BASE}/api/v1/credentials", json={"data": [PG], "nextCursor": None})
    assert run("present", definition=definition(description="words"))["changed"] is True


@ordered
def test_an_update_holds_the_live_version_until_the_new_one_is_published() -> None:
    listing(live(), credentials=[PG])
    looked()
    responses.put(
        f"{API}/w1",
        json=live(),
        match=[query_param_matcher({"publishIfActive": "false"}), json_params_matcher(sent("SELECT 2"))],
    )
    publish()
    probe(REGISTERED)
    listing(live(query="SELECT 2"), credentials=[PG])
    result = run("published", definition=definition(query="SELECT 2"))
    assert result["actions"] == [
        "update workflow 'w': nodes.PG.parameters.query",
        "publish the new version of workflow 'w'",
    ]
    assert result["diff"] == {
        "before": {"w": {"nodes.PG.parameters.query": "SELECT 1"}},
        "after": {"w": {"nodes.PG.parameters.query": "SELECT 2"}},
    }


@ordered
def test_settings_alone_make_no_version_and_are_sent_so_that_triggers_register_anew() -> None:
    seen = live(settings={"executionOrder": "v1", "timezone": "UTC"})
    listing(seen, credentials=[PG])
    looked(seen)
    body = {**sent(), "settings": {"executionOrder": "v1", "timezone": "DEFAULT"}}
    responses.put(f"{API}/w1", json=live(), match=[query_param_matcher({}), json_params_matcher(body)])
    probe(REGISTERED)
    listing(live(), credentials=[PG])
    result = run("published")
    assert result["actions"] == ["update workflow 'w': settings.timezone"]


@ordered
@pytest.mark.parametrize(
    ("seen", "state", "calls", "actions"),
    [
        (draft(), "published", ["publish"], ["publish workflow 'w'"]),
        (live(activeVersionId="v0"), "published", ["publish"], ["publish workflow 'w'"]),
        (live(activeVersionId="v0"), "present", ["publish"], ["publish workflow 'w'"]),
        (live(), "unpublished", ["unpublish"], ["unpublish workflow 'w'"]),
        (draft(isArchived=True), "present", ["unarchive"], ["take workflow 'w' out of the archive"]),
        (draft(), "present", [], []),
        (live(), "present", [], []),
        (draft(), "unpublished", [], []),
    ],
)
def test_publication_is_mended_alone(seen: Any, state: str, calls: list[str], actions: list[str]) -> None:
    listing(seen, credentials=[PG])
    for call in calls:
        responses.post(f"{API}/w1/{call}", json={})
        if call == "publish":
            probe(REGISTERED)
    if calls:
        listing(live() if "publish" in calls else draft(), credentials=[PG])
    assert run(state)["actions"] == actions


@ordered
def test_absent_unpublishes_and_waits_for_n8n() -> None:
    listing(live())
    responses.post(f"{API}/w1/unpublish", json={})
    responses.delete(f"{API}/w1", status=409, json={"message": "Workflow is still being unpublished."})
    responses.delete(f"{API}/w1", json={})
    listing()
    result = run("absent", definition={"name": "w"})
    assert result["actions"] == ["delete workflow 'w'"]
    assert result["diff"] == {"before": {"w": {"publication": "published"}}, "after": {}}


@ordered
def test_two_of_one_name_are_an_error() -> None:
    listing(live(), live(workflow_id="w2"))
    with pytest.raises(ModuleFailed, match=r"more than one workflow named 'w' \(ids w1 and w2\)"):
        run("published")


@ordered
def test_a_refusal_to_publish_names_the_workflow_and_what_was_done() -> None:
    listing(live(), credentials=[PG])
    looked()
    responses.put(f"{API}/w1", json=live())
    responses.post(f"{API}/w1/publish", status=400, json={"message": "Unrecognized node type: x"})
    with pytest.raises(ModuleFailed, match=r"workflow 'w': POST .* answered 400: Unrecognized node type: x") as failed:
        run("published", definition=definition(query="SELECT 2"))
    assert failed.value.result["actions_done"] == ["update workflow 'w': nodes.PG.parameters.query"]


@ordered
def test_a_webhook_that_never_registers_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(publishing, "LEASE_SECONDS", 0.0)
    listing(draft(), credentials=[PG])
    publish()
    probe(NOT_YET)
    responses.post(f"{API}/w1/unpublish", json={})
    with pytest.raises(ModuleFailed, match=r"did not register its webhook .*; it is unpublished again"):
        run("published")


@ordered
@pytest.mark.parametrize("seen", ["https://hooks.test/canary-new", "https://hooks.test/canary-stray"])
def test_a_secret_shows_neither_as_it_was_nor_as_it_becomes(seen: str) -> None:
    listing(live(query="https://hooks.test/canary-old"), credentials=[PG])
    looked()
    responses.put(f"{API}/w1", json=live())
    publish()
    probe(REGISTERED)
    listing(live(query=seen), credentials=[PG])
    given = {
        "definition": definition(query="https://hooks.test/canary-new"),
        "secrets": ["https://hooks.test/canary-new", ""],
    }
    if seen.endswith("new"):
        result = run("published", **given)
        assert result["diff"]["before"] == {"w": {"nodes.PG.parameters.query": "*** (differs)"}}
        assert result["diff"]["after"] == {"w": {"nodes.PG.parameters.query": "***"}}
        assert result["actions"][0] == "update workflow 'w': nodes.PG.parameters.query"
    else:
        with pytest.raises(ModuleFailed, match=r"nodes.PG.parameters.query: wanted '\*\*\*', seen '\*\*\*") as failed:
            run("published", **given)
        result = failed.value.result
    assert "canary" not in json.dumps(result)


@ordered
def test_a_secret_is_masked_in_what_n8n_says_of_it() -> None:
    listing(draft(), credentials=[PG])
    looked(draft())
    responses.put(f"{API}/w1", status=400, json={"message": "cannot use https://hooks.test/canary-new here"})
    with pytest.raises(ModuleFailed, match=r"answered 400: cannot use \*+ here") as failed:
        secret = "https://hooks.test/canary-new"
        run("published", definition=definition(query=secret), secrets=[secret])
    assert "canary-new" not in json.dumps(failed.value.result)


@ordered
def test_what_is_read_back_must_be_what_was_asked() -> None:
    listing(live(), credentials=[PG])
    looked()
    responses.put(f"{API}/w1", json=live())
    publish()
    probe(REGISTERED)
    listing(live(), credentials=[PG])
    with pytest.raises(
        ModuleFailed, match=r"the live state is not what was asked: .*wanted 'SELECT 2', seen 'SELECT 1'"
    ):
        run("published", definition=definition(query="SELECT 2"))


@ordered
def test_a_field_that_n8n_drops_from_a_new_workflow_is_noticed() -> None:
    listing(credentials=[PG])
    made(draft())
    listing(draft(), credentials=[PG])
    with pytest.raises(ModuleFailed, match=r"is not what was asked: w.settings.callerPolicy: .*seen 'missing'"):
        run("present", definition=definition(settings={"executionOrder": "v1", "callerPolicy": "none"}))


@ordered
def test_a_proof_does_not_start_another_workflow_on_the_same_path() -> None:
    another = live(workflow_id="x", name="another")
    another["nodes"][0]["parameters"]["httpMethod"] = "GET"
    listing(draft(), another, credentials=[PG])
    publish()
    said = {"code": 404, "message": REGISTERED.replace("GET", "DELETE")}
    responses.delete(HOOK, status=404, json=said)
    listing(live(), another, credentials=[PG])
    assert run("published")["actions"] == ["publish workflow 'w'"]


def test_an_empty_key_is_one_sentence() -> None:
    for check in (True, False):
        with pytest.raises(ModuleFailed, match=r"^api_key is empty; give the key, or the api_key_file that holds it"):
            run("published", check=check, api_key="")


@ordered
def test_a_wrong_key_is_one_sentence() -> None:
    responses.get(API, status=401, json={"message": "Unauthorized"})
    with pytest.raises(ModuleFailed, match=f"n8n at {BASE} does not accept api_key; make one") as failed:
        run("published")
    assert "canary" not in json.dumps(failed.value.result)


@ordered
def test_no_workflows_at_all_still_try_the_key() -> None:
    listing()
    params = {"url": BASE, "api_key": "canary-key", "workflows": []}
    assert run_module("n8n_workflow", params, check=True)["changed"] is False


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (live(), "published"),
        (live(activeVersionId="v0"), "an older version"),
        (live(activeVersionId=None), "published"),
        (draft(), "unpublished"),
        (draft(isArchived=True), "archived"),
    ],
)
def test_publication_in_words(item: dict[str, Any], words: str) -> None:
    assert publication(item) == words

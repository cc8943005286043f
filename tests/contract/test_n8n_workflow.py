from __future__ import annotations

import copy
import json
import threading
from typing import Any

import pytest

from tests.contract.n8n import Rig, postgres_credential, role_workflow
from tests.support.law import Law
from tests.support.run_module import ModuleFailed, run_module
from tests.support.waiting import until

CREDENTIAL = "workflow-pg"
GOOD = {"event_type": "contract.test", "event_source": "contract", "payload": {"a": [1, "x,'\"$1{{ }}"]}}
ROWS = "SELECT count(*) FROM events"


def event_logger(**over: Any) -> dict[str, Any]:
    return {**role_workflow("event-logger", n8n_postgres_credential=CREDENTIAL), **over}


def edited(definition: dict[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(definition)
    changed["nodes"][4]["parameters"]["responseBody"] = "={{ JSON.stringify({ status: 'kept', id: $json.id }) }}"
    changed["settings"].pop("timezone")
    return changed


@pytest.fixture(scope="module", autouse=True)
def credential(n8n: Rig) -> None:
    run_module("n8n_credential", {**n8n.credential, "credentials": [postgres_credential(CREDENTIAL)]})


def remove(n8n: Rig, *names: str) -> None:
    run_module("n8n_workflow", {**n8n.connection, "workflows": [{"name": name} for name in names], "state": "absent"})


def test_the_law_of_a_published_workflow(n8n: Rig) -> None:
    definition = event_logger()

    def live() -> dict[str, Any]:
        return next(item for item in n8n.api("GET", "/workflows")["data"] if item["name"] == "event-logger")

    def drift() -> None:
        workflow = live()
        workflow["nodes"][1]["parameters"]["jsCode"] = "return [];"
        body = {key: workflow[key] for key in ("name", "nodes", "connections", "settings")}
        body["settings"] = {"executionOrder": "v1"}
        n8n.api("PUT", f"/workflows/{workflow['id']}", json=body)

    def read() -> str:
        columns = 'id, name, active, nodes, settings, "versionId", "activeVersionId", "updatedAt"'
        return n8n.sql(f"SELECT {columns} FROM workflow_entity ORDER BY id")

    Law(
        module="n8n_workflow",
        create={**n8n.connection, "definition": definition, "state": "published"},
        update={**n8n.connection, "definition": edited(definition), "state": "published"},
        delete={**n8n.connection, "definition": {"name": "event-logger"}, "state": "absent"},
        independent_read=read,
        drift=drift,
        drift_words="nodes.Validate.parameters.jsCode",
    ).hold()


def test_the_event_logger_stores_good_events_and_refuses_bad_ones(n8n: Rig) -> None:
    params = {**n8n.connection, "workflows": [event_logger()], "state": "published"}
    run_module("n8n_workflow", params)
    n8n.sql("INSERT INTO client_profiles (id, client_name) VALUES (7, 'one')")
    for extra in ({}, {"client_id": 7, "metadata": {"run": "r1"}}, {"client_id": None, "metadata": None}):
        stored = n8n.hook("events/log", json={**GOOD, **extra})
        assert (stored.status_code, stored.json()["status"]) == (201, "stored")
        row = json.loads(n8n.sql(f"SELECT row_to_json(events) FROM events WHERE id = {stored.json()['id']}"))
        assert row["payload"] == GOOD["payload"]
        assert row["client_id"] == extra.get("client_id")
        assert row["metadata"].items() >= (extra.get("metadata") or {}).items()
    count = n8n.sql(ROWS)
    bad: list[tuple[Any, str]] = [
        ({}, "event_type is required"),
        ([GOOD], "body must be a JSON object"),
        ({**GOOD, "event_type": "x" * 101}, "event_type must be at most 100 characters"),
        ({**GOOD, "event_source": " "}, "event_source is required"),
        ({**GOOD, "payload": "text"}, "payload is required and must be a JSON object"),
        ({**GOOD, "client_id": "7"}, "client_id must be a positive integer"),
        ({**GOOD, "client_id": 8}, "client_id 8 is not known"),
        ({**GOOD, "metadata": []}, "metadata must be a JSON object"),
    ]
    for body, words in bad:
        refused = n8n.hook("events/log", json=body)
        assert refused.status_code == 400, (body, refused.text)
        assert refused.json()["error"] == "invalid payload"
        assert words in " ".join(refused.json()["details"])
    assert n8n.sql(ROWS) == count
    n8n.sql("ALTER TABLE events RENAME TO events_away")
    failed = n8n.hook("events/log", json=GOOD)
    n8n.sql("ALTER TABLE events_away RENAME TO events")
    remove(n8n, "event-logger")
    assert failed.status_code == 500


def test_no_call_is_lost_while_a_workflow_is_updated(n8n: Rig) -> None:
    definition = event_logger()
    params = {**n8n.connection, "state": "published"}
    run_module("n8n_workflow", {**params, "definition": definition})
    answers: list[int] = []
    stop = threading.Event()

    def call() -> None:
        while not stop.is_set():
            answers.append(n8n.hook("events/log", json=GOOD).status_code)

    caller = threading.Thread(target=call)
    caller.start()
    run_module("n8n_workflow", {**params, "definition": edited(definition)})
    taken_up = until(lambda: n8n.hook("events/log", json=GOOD).json().get("status") == "kept")
    stop.set()
    caller.join()
    assert taken_up
    assert set(answers) == {201}
    remove(n8n, "event-logger")


def test_what_n8n_refuses_to_publish_leaves_the_live_version(n8n: Rig) -> None:
    definition = event_logger()
    params = {**n8n.connection, "state": "published"}
    run_module("n8n_workflow", {**params, "definition": definition})
    broken = copy.deepcopy(definition)
    broken["nodes"][5]["type"] = "n8n-nodes-base.doesNotExist"
    with pytest.raises(ModuleFailed, match=r"workflow 'event-logger': .*Unrecognized node type"):
        run_module("n8n_workflow", {**params, "definition": broken})
    assert n8n.hook("events/log", json=GOOD).status_code == 201
    assert (
        "publish workflow 'event-logger'" in run_module("n8n_workflow", {**params, "definition": definition})["actions"]
    )
    remove(n8n, "event-logger")


def test_states_and_the_archive(n8n: Rig) -> None:
    params = {**n8n.connection, "definition": event_logger(description="what it is for")}

    def actions(state: str) -> list[str]:
        done = run_module("n8n_workflow", {**params, "state": state})["actions"]
        assert run_module("n8n_workflow", {**params, "state": state})["changed"] is False
        return done

    assert actions("present") == [
        "create workflow 'event-logger' with 15 nodes",
        "complete workflow 'event-logger' with its description",
    ]
    assert actions("published") == ["publish workflow 'event-logger'"]
    assert actions("unpublished") == ["unpublish workflow 'event-logger'"]
    workflow_id = n8n.api("GET", "/workflows?name=event-logger")["data"][0]["id"]
    n8n.api("POST", f"/workflows/{workflow_id}/archive")
    assert actions("published") == [
        "take workflow 'event-logger' out of the archive",
        "publish workflow 'event-logger'",
    ]
    remove(n8n, "event-logger")


def test_a_deleted_credential_is_noticed(n8n: Rig) -> None:
    params = {**n8n.connection, "definition": event_logger(), "state": "published"}
    run_module("n8n_workflow", params)
    run_module("n8n_credential", {**n8n.credential, "name": CREDENTIAL, "state": "absent"})
    with pytest.raises(ModuleFailed, match=f"refers to the postgres credential '{CREDENTIAL}', and there is none"):
        run_module("n8n_workflow", params)
    assert n8n.hook("events/log", json=GOOD).status_code == 500
    run_module("n8n_credential", {**n8n.credential, **postgres_credential(CREDENTIAL)})
    mended = run_module("n8n_workflow", params)
    assert "nodes.Insert event.credentials.postgres" in mended["actions"][0]
    # Without the owner's login nobody tells when n8n has taken up the new version; mostly that is half a second.
    assert until(lambda: n8n.hook("events/log", json=GOOD).status_code == 201)
    remove(n8n, "event-logger")


def test_two_workflows_on_one_path_are_refused_by_name(n8n: Rig) -> None:
    first, second = event_logger(), event_logger(name="second-logger")
    run_module("n8n_workflow", {**n8n.connection, "definition": first, "state": "published"})
    with pytest.raises(ModuleFailed, match=r"'second-logger', node .* wants POST /webhook/events/log, which belongs"):
        run_module("n8n_workflow", {**n8n.connection, "definition": second, "state": "published"})
    remove(n8n, "event-logger", "second-logger")

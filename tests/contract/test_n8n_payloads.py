"""What callers may send to the webhooks, what is refused, and whose keys and names count."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.contract.n8n_world import PLAN, TOKEN, World, of_task, task
from tests.support.waiting import until

ENDLESS = '{"event_type": "note", "event_source": "contract", "payload": {"a": 1e999}}'
HALF = "\ud83d"
DEEP = '{"event_type": "x", "event_source": "bad", "payload": {"a": ' + "[" * 400 + "]" * 400 + "}}"


def event(**more: Any) -> dict[str, Any]:
    return {"event_type": "note", "event_source": "contract", "payload": {}, **more}


def change(**more: Any) -> dict[str, Any]:
    return {"event_id": "e", "task_id": "t", "status": "s", **more}


def send(world: World, path: str, body: Any) -> requests.Response:
    text = body if isinstance(body, str) else json.dumps(body)
    headers = {"X-Webhook-Token": TOKEN, "Content-Type": "application/json"}
    return world.n8n.hook(path, data=text.encode(), headers=headers)


@pytest.mark.parametrize(
    ("path", "body", "details"),
    [
        ("coda/task-created", {"title": "x"}, "task_id is required and must be a non-empty string"),
        ("coda/task-created", task("x", estimated_hours="2"), "estimated_hours must be a number above 0"),
        ("coda/task-created", task("x", client_id=0), "client_id must be a positive integer"),
        ("coda/task-created", [1], "body must be a JSON object"),
        ("coda/task-created", '"text"', "body must be a JSON object"),
        ("coda/task-created", {"task_id": 5, "title": "x"}, "task_id is required and must be a non-empty string"),
        ("coda/task-created", task("nul\0"), "task_id has a NUL character"),
        ("coda/task-created", task("x", idempotency_key=7), "idempotency_key must be a non-empty string, or left out"),
        ("gcal/event-updated", {"event_id": "e", "status": "s"}, "task_id is required and must be a non-empty string"),
        ("gcal/event-updated", change(event_id="e" * 256), "event_id must be at most 255"),
        ("gcal/event-updated", change(updated="Infinity"), "updated must be a time such as"),
        ("gcal/event-updated", change(updated="99999-01-01T00:00:00Z"), "updated must be a time such as"),
        ("gcal/event-updated", change(updated="2026-02-30T00:00:00Z"), "updated must be a time such as"),
        ("events/log", {"event_type": "x"}, "event_source is required and must be a non-empty string"),
        ("events/log", event(event_type="x" * 101), "event_type must be at most 100 characters"),
        ("events/log", event(payload=[1]), "payload is required and must be a JSON object"),
        ("events/log", event(metadata=[1]), "metadata must be a JSON object, or left out"),
        ("events/log", event(payload={"a": {"b": ["x\0"]}}), "payload.a.b[0] has a NUL character"),
        ("events/log", event(payload={"a\0": 1}), "payload has a key with a NUL character"),
        ("events/log", event(payload={"a": HALF}), "payload.a has a NUL character or half of a surrogate pair"),
        ("events/log", event(event_type=HALF), "event_type has a NUL character or half of a surrogate pair"),
        ("events/log", event(metadata={"k": "\0"}), "metadata.k has a NUL character"),
        ("events/log", event(payload={"a": {"constructor": 1}}), "payload.a has a key constructor, which n8n would"),
        ("events/log", event(payload={"a": 2**63}), "payload.a is a number beyond 2 ** 53"),
        ("events/log", ENDLESS, "payload.a is a number beyond 2 ** 53"),
        ("events/log", event(client_id=2**31), "client_id must be a positive integer below 2147483648"),
        ("events/log", event(client_id=2**31 - 1), "client_id 2147483647 is not known; add it to client_profiles"),
        ("events/log", event(idempotency_key="k" * 256), "idempotency_key must be at most 255 characters"),
        ("events/log", event(metadata={"idempotency_key": "k" * 9000}), "idempotency_key must be at most 255"),
        ("events/log", DEEP, "is nested deeper than 100 levels"),
        ("events/log", event(payload={"a": [1] * 10_001}), "body holds more than 10000 values"),
        ("events/log", event(payload={"a": "x" * 1_000_000}), "body must be at most 1 MB"),
    ],
)  # fmt: skip
def test_a_bad_payload_is_told_what_is_wrong_and_leaves_nothing(
    world: World, path: str, body: Any, details: str
) -> None:
    rows = len(world.rows("true"))
    answer = send(world, path, body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"] == "invalid payload"
    assert any(details in one for one in answer.json()["details"]), answer.text
    assert len(world.rows("true")) == rows


def test_what_only_looks_bad_is_stored_as_it_was_sent(world: World) -> None:
    payload = {"text": "😀 '; -- $1 {{ 1 }}", "caller": 1, "prototype": [2.5, None, True], "big": 2**53 - 1, "": {}}
    answer = world.post("events/log", event(event_type="😀" * 60, event_source="looks-bad", payload=payload))
    assert answer.status_code == 201, answer.text
    (row,) = world.rows("event_source = 'looks-bad'")
    assert (row["event_type"], row["payload"]) == ("😀" * 60, payload)


def test_no_metadata_of_a_caller_stand_for_the_workflows_own(world: World) -> None:
    claims = {"workflow": "mine", "run_id": 5, "outcome": "failure", "reported": {"x": 1}}
    told = world.post("events/log", event(event_source="claims", metadata={**claims, "kept": [1]}))
    assert told.status_code == 201
    (row,) = world.rows("event_source = 'claims'")
    run_id = row["metadata"]["run_id"]
    assert row["metadata"] == {
        "kept": [1],
        "reported": claims,
        "workflow": "event-logger",
        "run_id": run_id,
        "outcome": "success",
    }
    world.execution(run_id, "event-logger", "success")


def test_the_same_event_is_logged_once(world: World) -> None:
    sent = event(event_source="once", idempotency_key="note-1")
    first, again = world.post("events/log", sent), world.post("events/log", sent)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == {"status": "known", "id": first.json()["id"]}
    by_metadata = world.post("events/log", event(event_source="once", metadata={"idempotency_key": "note-1"}))
    assert by_metadata.json() == again.json()
    (row,) = world.rows("event_source = 'once'")
    assert row["metadata"]["idempotency_key"] == "events/log#note-1"
    assert (row["metadata"]["workflow"], row["metadata"]["outcome"]) == ("event-logger", "success")
    assert row["metadata"]["run_id"]


def test_twenty_at_the_same_moment_make_one_row(world: World) -> None:
    sent = event(event_source="twenty", idempotency_key="twenty")
    with ThreadPoolExecutor(20) as pool:
        tasks = list(pool.map(lambda _n: world.post("coda/task-created", task("at-once")).status_code, range(20)))
        events = list(pool.map(lambda _n: world.post("events/log", sent).status_code, range(20)))
    assert tasks == [202] * 20
    assert sorted(events) == [200] * 19 + [201]
    assert until(lambda: len(world.executions("coda-to-calendar-sync", "running")) == 0)
    time.sleep(1.0)
    assert len(world.rows(of_task("at-once"))) == 1
    assert len(world.rows("event_source = 'twenty'")) == 1


def test_a_key_counts_for_the_workflow_that_it_was_sent_to(world: World) -> None:
    assert world.post("events/log", event(idempotency_key="shared")).status_code == 201
    assert world.post("events/log", event(idempotency_key="coda/task-created:shared-2")).status_code == 201
    assert world.post("coda/task-created", task("shared-1", idempotency_key="shared")).status_code == 202
    assert world.post("coda/task-created", task("shared-2")).status_code == 202
    assert world.post("gcal/event-updated", change(event_id="shared", idempotency_key="shared")).status_code == 202
    assert until(lambda: world.rows(of_task("shared-1")) and world.rows(of_task("shared-2")))
    assert until(lambda: world.rows("payload ->> 'event_id' = 'shared'"))
    assert len(world.asked("planner-engine", PLAN, task_id="shared-2")) == 1


def test_a_key_of_an_older_row_counts_for_the_workflow_that_wrote_it(world: World) -> None:
    older = {
        "old-event": "event-logger",
        "old-foreign": "what the caller said",
        "old-task": "coda-to-calendar-sync",
        "old-change": "calendar-to-coda-sync",
    }
    for key, workflow in older.items():
        metadata = json.dumps({"workflow": workflow, "idempotency_key": key})
        world.n8n.sql(
            "INSERT INTO events (event_type, event_source, payload, metadata) "
            f"VALUES ('note', 'old', '{{}}', '{metadata}')"
        )
    assert {key: world.post("events/log", event(idempotency_key=key)).status_code for key in older} == {
        "old-event": 200,
        "old-foreign": 200,
        "old-task": 201,
        "old-change": 201,
    }
    for key in older:
        assert world.post("coda/task-created", task(f"{key}-t", idempotency_key=key)).status_code == 202
        assert world.post("gcal/event-updated", change(event_id=key, idempotency_key=key)).status_code == 202
    tasks, changes = "coda-to-calendar-sync", "calendar-to-coda-sync"
    for key, workflow in older.items():
        assert workflow == tasks or until(lambda key=key: world.rows(of_task(f"{key}-t"))), key
        assert workflow == changes or until(lambda key=key: world.rows(f"payload ->> 'event_id' = '{key}'")), key
    assert until(lambda: not world.executions(tasks, "running") and not world.executions(changes, "running"))
    for key, workflow in older.items():
        planned = len(world.asked("planner-engine", PLAN, task_id=f"{key}-t"))
        assert planned == (0 if workflow == tasks else 1), key
        logged = len(world.rows(f"payload ->> 'event_id' = '{key}'"))
        assert logged == (0 if workflow == changes else 1), key


def test_neither_secret_nor_address_of_slack_stands_in_the_history(world: World) -> None:
    """Neither of a run that went well nor of one that failed or told of it, by n8n's interface or in its database."""
    world.tell("planner-engine", route=PLAN, when={"task_id": "canary"}, status=500)
    for sent in ("well", "canary"):
        assert world.post("coda/task-created", task(sent)).status_code == 202
    assert send(world, "events/log", {}).status_code == 400
    assert until(lambda: world.alerts("coda-to-calendar-sync"), 60.0)
    for status in ("success", "error"):
        runs = world.executions("coda-to-calendar-sync", status)
        hooks = [run["data"]["resultData"]["runData"].get("Webhook") for run in runs if run["mode"] == "webhook"]
        seen = [hook[0]["data"]["main"][0][0]["json"]["headers"] for hook in hooks]
        assert seen and all("content-type" in headers for headers in seen)
        assert not any(secret in json.dumps(runs) for secret in (TOKEN, "canary-slack"))
    everything = """(
        SELECT data || "workflowData"::text AS kept FROM execution_data
        UNION ALL SELECT nodes::text FROM workflow_entity
    )"""
    found = f"kept LIKE '%{TOKEN}%' OR kept LIKE '%canary-slack%'"
    assert world.n8n.sql(f"SELECT count(*) FROM {everything} AS history WHERE {found}") == "0"

"""The five workflows of the role on a live n8n: what calls them, what they call, and what they do when that fails."""

from __future__ import annotations

import copy
import datetime
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live.probes import answer
from ansible_collections.bestviable.planner_memory.plugins.plugin_utils._checks import judge, questions

from tests.contract.n8n import DATABASE_PASSWORD, Rig, postgres_credential
from tests.support.containers import Container
from tests.support.run_module import run_module
from tests.support.workflows import rendered, role_checks, role_workflows

DOUBLE = Path(__file__).resolve().parents[2] / "images" / "service-double" / "service_double.py"
INSIDE = "/usr/local/lib/service-double/service_double.py"
DOUBLES = {"planner-engine": 8091, "scheduler-engine": 8092, "observer-agent": 8093, "coda-mcp": 8080}
TOKEN = "canary-webhook-token"
SLACK = "http://coda-mcp:8080/services/T0/B0/canary-slack"
TIMEOUT = 2
PLAN = "/api/v1/planner/plan"
SCHEDULE = "/api/v1/scheduler/schedule"
NEVER = {"n8n_daily_cron": "0 18 29 2 *", "n8n_weekly_cron": "0 18 29 2 *"}


@dataclass
class World:
    """n8n with its five workflows, and the services that they call."""

    n8n: Rig
    doubles: dict[str, Container]

    def definitions(self, **over: Any) -> dict[str, dict[str, Any]]:
        variables = {
            "n8n_webhook_auth": True,
            "n8n_slack_webhook_url": SLACK,
            "n8n_call_timeout": TIMEOUT,
            **NEVER,
            **over,
        }
        return role_workflows(**variables)

    def publish(self, *definitions: dict[str, Any]) -> dict[str, Any]:
        params = {**self.n8n.connection, "workflows": list(definitions), "secrets": [SLACK], "state": "published"}
        return run_module("n8n_workflow", params)

    def post(self, path: str, body: Any, token: str = TOKEN) -> requests.Response:
        return self.n8n.hook(path, json=body, headers={"X-Webhook-Token": token})

    def double(self, name: str, method: str, path: str, **kwargs: Any) -> Any:
        port = self.doubles[name].port(DOUBLES[name])
        return requests.request(method, f"http://127.0.0.1:{port}{path}", timeout=10, **kwargs).json()

    def tell(self, name: str, **behaviour: Any) -> None:
        told = self.double(name, "POST", "/_double/behaviour", json=behaviour)
        assert "rules" in told, told

    def asked(self, name: str, path: str, **body: Any) -> list[dict[str, Any]]:
        """What a double was asked on a path, with these values in the body."""
        kept = self.double(name, "GET", f"/_double/requests?path={path}")["requests"]
        return [one for one in kept if body.items() <= (one["body"] or {}).items()]

    def alerts(self, words: str = "") -> list[str]:
        """What Slack was told, and holds these words; the last line is the execution's address."""
        kept = self.double("coda-mcp", "GET", "/_double/requests")["requests"]
        texts = [one["body"]["text"] for one in kept if one["path"].startswith("/services/")]
        return [text for text in texts if words in f"{text}\n"]

    def rows(self, where: str) -> list[dict[str, Any]]:
        return json.loads(
            self.n8n.sql(f"SELECT coalesce(json_agg(events ORDER BY id), '[]') FROM events WHERE {where}")
        )

    def executions(self, workflow: str, status: str) -> list[dict[str, Any]]:
        live = self.n8n.api("GET", f"/workflows?name={workflow}")["data"][0]
        return self.n8n.api("GET", f"/executions?workflowId={live['id']}&status={status}&includeData=true")["data"]


@pytest.fixture(scope="module")
def world(n8n: Rig, container: Callable[..., Container]) -> Iterator[World]:
    network, *_others = n8n.postgres.inspect()["NetworkSettings"]["Networks"]
    doubles = {
        name: container(
            "planner-memory/service-double:0.1.0",
            env={"SERVICE_NAME": name},
            ports=[port],
            options=["--network", network, "--network-alias", name, "-v", f"{DOUBLE}:{INSIDE}:ro"],
        )
        for name, port in DOUBLES.items()
    }
    header = {"type": "httpHeaderAuth", "data": {"name": "X-Webhook-Token", "value": TOKEN}}
    credentials = [postgres_credential("planner-memory-postgres"), {"name": "planner-memory-webhook", **header}]
    run_module("n8n_credential", {**n8n.credential, "credentials": credentials})
    one = World(n8n, doubles)
    for name, double in doubles.items():
        double.wait(lambda name=name: one.double(name, "GET", "/health")["status"] == "ok")
    published = one.publish(*one.definitions().values())
    assert len(published["workflows"]) == 5
    yield one
    names = [item["name"] for item in n8n.api("GET", "/workflows?limit=250")["data"]]
    absent = {**n8n.connection, "workflows": [{"name": name} for name in names], "state": "absent"}
    run_module("n8n_workflow", absent)


def until(seen: Callable[[], Any], seconds: float = 15.0) -> Any:
    """What was waited for, or the last that was seen instead."""
    deadline = time.monotonic() + seconds
    while True:
        found = seen()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in zip(times, times[1:])]


def waited(series: list[list[float]], wanted: Sequence[float]) -> None:
    """Within a tenth, none sooner; one that is held up by a busy machine is later than others that wait as long."""
    assert {len(one) for one in series} == {len(wanted)}, series
    for number, seconds in enumerate(wanted):
        taken = [one[number] for one in series]
        assert seconds * 0.9 <= min(taken) <= seconds * 1.1, series


def task(task_id: str, **more: Any) -> dict[str, Any]:
    return {"task_id": task_id, "title": "Write the report", "estimated_hours": 1.5, **more}


def of_task(task_id: str) -> str:
    return f"payload -> 'task' ->> 'task_id' = '{task_id}'"


def test_a_task_is_planned_scheduled_and_logged_once(world: World) -> None:
    world.n8n.sql("INSERT INTO client_profiles (id, client_name) VALUES (70, 'one') ON CONFLICT DO NOTHING")
    answer = world.post("coda/task-created", task("end-to-end", client_id=70, project="kept"))
    assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
    (row,) = until(lambda: world.rows(of_task("end-to-end")))
    assert (row["event_type"], row["event_source"], row["client_id"]) == ("task.scheduled", "coda", 70)
    assert row["metadata"] == {
        "workflow": "coda-to-calendar-sync",
        "run_id": answer.json()["run_id"],
        "outcome": "success",
        "idempotency_key": "coda/task-created:end-to-end",
    }
    assert row["payload"]["plan_id"] == 1
    assert row["payload"]["schedule"]["schedule_blocks"][0]["task_id"] == "end-to-end"
    (planned,) = world.asked("planner-engine", PLAN, task_id="end-to-end")
    assert planned["body"] == task("end-to-end", client_id=70, project="kept")
    assert planned["headers"]["idempotency-key"] == "coda/task-created:end-to-end"
    (scheduled,) = world.asked("scheduler-engine", SCHEDULE, task_id="end-to-end")
    assert scheduled["body"]["plan_id"] == 1
    assert scheduled["body"]["plan"]["plan_title"] == "Plan for Write the report"


def test_a_task_that_is_told_twice_has_one_row_and_one_plan(world: World) -> None:
    for _time in range(2):
        assert world.post("coda/task-created", task("twice")).status_code == 202
        until(lambda: world.rows(of_task("twice")))
    done = until(lambda: len(world.executions("coda-to-calendar-sync", "success")) >= 2)
    assert done
    time.sleep(1.0)
    assert len(world.rows(of_task("twice"))) == 1
    assert len(world.asked("planner-engine", PLAN, task_id="twice")) == 1


def test_two_at_the_same_moment_still_make_one_row(world: World) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _n: world.post("coda/task-created", task("at-once")).status_code, range(4)))
    assert answers == [202] * 4
    until(lambda: world.rows(of_task("at-once")))
    time.sleep(2.0)
    assert len(world.rows(of_task("at-once"))) == 1


def test_an_event_sets_the_status_in_coda(world: World) -> None:
    change = {"event_id": "e1", "task_id": "t1", "status": "confirmed", "updated": "2026-01-05T09:00:00Z"}
    for _time in range(2):
        assert world.post("gcal/event-updated", change).status_code == 202
    assert until(lambda: len(world.asked("coda-mcp", "/mcp")) == 2)
    call = world.asked("coda-mcp", "/mcp")[0]["body"]
    assert call["method"] == "tools/call"
    assert call["params"] == {
        "name": "update_task_status",
        "arguments": {"task_id": "t1", "status": "confirmed", "event_id": "e1"},
    }
    (row,) = until(lambda: world.rows("payload ->> 'event_id' = 'e1'"))
    assert (row["event_type"], row["event_source"], row["payload"]) == ("task.status_updated", "gcal", change)
    assert row["metadata"]["outcome"] == "success"


def test_the_same_event_is_logged_once(world: World) -> None:
    event = {"event_type": "note", "event_source": "contract", "payload": {}, "idempotency_key": "note-1"}
    first, again = world.post("events/log", event), world.post("events/log", event)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == {"status": "known", "id": first.json()["id"]}
    (row,) = world.rows("event_source = 'contract' AND event_type = 'note'")
    assert row["metadata"]["idempotency_key"] == "note-1"
    assert row["metadata"]["workflow"] == "event-logger"
    assert row["metadata"]["run_id"]


@pytest.mark.parametrize(
    ("path", "body", "details"),
    [
        ("coda/task-created", {"title": "x"}, "task_id is required and must be a non-empty string"),
        ("coda/task-created", task("x", estimated_hours="2"), "estimated_hours must be a number above 0"),
        ("coda/task-created", task("x", client_id=0), "client_id must be a positive integer"),
        ("coda/task-created", [1], "body must be a JSON object"),
        ("gcal/event-updated", {"event_id": "e", "status": "s"}, "task_id is required and must be a non-empty string"),
        ("gcal/event-updated", {"event_id": "e" * 256, "task_id": "t", "status": "s"}, "event_id must be at most 255"),
        ("events/log", {"event_type": "x"}, "event_source is required and must be a non-empty string"),
    ],
)
def test_a_bad_payload_is_told_what_is_wrong(world: World, path: str, body: Any, details: str) -> None:
    answer = world.post(path, body)
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid payload"
    assert any(details in one for one in answer.json()["details"])


@pytest.mark.parametrize("path", ["coda/task-created", "gcal/event-updated", "events/log"])
def test_without_its_secret_nobody_is_let_in(world: World, path: str) -> None:
    assert world.n8n.hook(path, json={}).status_code == 403
    assert world.post(path, {}, token="wrong").status_code == 403


@dataclass
class Failing:
    """A call that fails: how to start it, and when the workflow made its calls, without the time that they hung."""

    words: str
    workflow: str
    node: str
    start: Callable[[], Any]
    times: Callable[[], list[float]]


def test_what_fails_is_called_four_times_and_then_told_to_slack_once(world: World) -> None:
    def refused(definition: dict[str, Any]) -> dict[str, Any]:
        changed = copy.deepcopy(definition)
        changed["name"] = "calendar-to-nobody"
        changed["nodes"][0]["parameters"]["path"] = "gcal/nobody"
        return changed

    world.tell("planner-engine", route=PLAN, when={"task_id": "answers-500"}, status=500)
    world.tell("planner-engine", route=PLAN, when={"task_id": "resets"}, reset=True)
    world.tell("planner-engine", route=PLAN, when={"task_id": "hangs"}, hang_seconds=60)
    world.tell("planner-engine", route=PLAN, when={"task_id": "recovers"}, fail=2)
    world.tell("scheduler-engine", route=SCHEDULE, when={"task_id": "scheduler-503"}, status=503)
    closed = world.definitions(n8n_coda_mcp_url="http://coda-mcp:9/mcp")["calendar-to-coda-sync"]
    world.publish(refused(closed))

    def at(name: str, path: str, task_id: str, hung: float = 0.0) -> Callable[[], list[float]]:
        def times() -> list[float]:
            seen = [one["at"] for one in world.asked(name, path, task_id=task_id)]
            return [moment - number * hung for number, moment in enumerate(seen)]

        return times

    def starts() -> list[float]:
        (run,) = world.executions("calendar-to-nobody", "error")
        calls = run["data"]["resultData"]["runData"]["Call Coda"]
        return [call["startTime"] / 1000 for call in calls]

    def created(task_id: str) -> Callable[[], Any]:
        return lambda: world.post("coda/task-created", task(task_id))

    change = {"event_id": "e9", "task_id": "nobody", "status": "confirmed"}
    coda = "coda-to-calendar-sync"
    failing = {
        "answers-500": Failing(
            "500", coda, "Call planner", created("answers-500"), at("planner-engine", PLAN, "answers-500")
        ),
        "resets": Failing("ECONNRESET", coda, "Call planner", created("resets"), at("planner-engine", PLAN, "resets")),
        "hangs": Failing(
            f"timeout of {TIMEOUT}000ms exceeded",
            coda,
            "Call planner",
            created("hangs"),
            at("planner-engine", PLAN, "hangs", TIMEOUT),
        ),
        "scheduler-503": Failing(
            "503", coda, "Call scheduler", created("scheduler-503"), at("scheduler-engine", SCHEDULE, "scheduler-503")
        ),
        "nobody": Failing(
            "ECONNREFUSED", "calendar-to-nobody", "Call Coda", lambda: world.post("gcal/nobody", change), starts
        ),
    }
    runs = {name: one.start().json()["run_id"] for name, one in failing.items()}
    runs["recovers"] = world.post("coda/task-created", task("recovers")).json()["run_id"]
    assert until(lambda: len(world.alerts("failed at")) >= len(failing), 40.0), world.alerts()
    time.sleep(1.0)

    waited([gaps(one.times()) for one in failing.values()], [2.0, 4.0, 8.0])
    for name, one in failing.items():
        (text,) = world.alerts(f"/executions/{runs[name]}\n")
        assert f"*{one.workflow}* failed at *{one.node}*" in text
        assert one.words in text, text
        assert f"{one.node} failed 4 times" in text
        failed = {run["id"]: run for run in world.executions(one.workflow, "error")}
        assert failed[runs[name]]["status"] == "error"
        (row,) = world.rows(f"metadata ->> 'run_id' = '{runs[name]}'")
        assert (row["event_type"], row["metadata"]["outcome"]) == ("workflow.failed", "failure")
        assert row["payload"]["node"] == one.node
    assert len(world.alerts("failed at")) == len(failing)

    (row,) = world.rows(of_task("recovers"))
    assert row["metadata"]["outcome"] == "success"
    recovered = gaps(at("planner-engine", PLAN, "recovers")())
    waited([recovered, *(gaps(one.times())[:2] for one in failing.values())], [2.0, 4.0])
    assert world.alerts(f"/executions/{runs['recovers']}\n") == []
    assert runs["recovers"] in {run["id"] for run in world.executions(coda, "success")}


def test_a_task_is_not_lost_silently_where_the_credential_is_gone(world: World) -> None:
    run_module("n8n_credential", {**world.n8n.credential, **postgres_credential("doomed")})
    copied = world.definitions(n8n_postgres_credential="doomed")["coda-to-calendar-sync"]
    copied["name"], copied["nodes"][0]["parameters"]["path"] = "coda-to-nowhere", "coda/nowhere"
    world.publish(copied)
    run_module("n8n_credential", {**world.n8n.credential, "name": "doomed", "state": "absent"})
    assert world.post("coda/nowhere", task("nowhere")).status_code == 202
    (text,) = until(lambda: world.alerts("coda-to-nowhere"), 30.0)
    assert "failed at *Look for it*" in text
    assert world.asked("planner-engine", PLAN, task_id="nowhere") == []
    (run,) = world.executions("coda-to-nowhere", "error")
    assert run["mode"] == "webhook"


def test_crons_are_registered_once_and_fire_once(world: World) -> None:
    query = rendered("{{ n8n_query_published }}")

    def registered() -> list[str]:
        names = ("daily-observer-trigger", "weekly-observer-trigger")
        return [world.n8n.sql(query.replace("{workflow}", name)).rpartition("|")[2] for name in names]

    for _time in range(10):
        assert world.publish(*world.definitions().values())["changed"] is False
    assert until(lambda: registered() == ["1", "1"], 20.0), registered()
    world.tell("observer-agent", route="/api/v1/observer/reflect", when={"mode": "weekly"}, status=500)
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=12)
    cron = f"{soon.second} {soon.minute} {soon.hour} * * *"
    definitions = world.definitions(n8n_daily_cron=cron, n8n_weekly_cron=cron)
    mended = world.publish(definitions["daily-observer-trigger"], definitions["weekly-observer-trigger"])
    assert any("Schedule" in words for words in mended["actions"])
    (row,) = until(lambda: world.rows("event_type = 'observer.daily'"), 30.0)
    assert row["metadata"]["outcome"] == "success"
    assert row["payload"]["reflection"] == "daily reflection of the double"
    assert until(lambda: world.alerts("weekly-observer-trigger"), 30.0)
    time.sleep(1.0)
    for mode, calls in (("daily", 1), ("weekly", 4)):
        kept = world.double("observer-agent", "GET", "/_double/requests")["requests"]
        asked = [one for one in kept if one["query"] == {"mode": mode}]
        assert len(asked) == calls, mode
        fired = world.n8n.sql(
            'SELECT count(*) FROM execution_entity e JOIN workflow_entity w ON w.id = e."workflowId" '
            f"WHERE w.name = '{mode}-observer-trigger' AND e.mode = 'trigger'"
        )
        assert fired == "1", mode
    assert registered() == ["1", "1"]
    assert len(world.alerts("weekly-observer-trigger")) == 1
    assert len(world.rows("event_type = 'observer.daily'")) == 1


def test_the_role_proves_every_scenario_and_leaves_nothing(world: World) -> None:
    networks = world.n8n.postgres.inspect()["NetworkSettings"]["Networks"]
    live = {
        **NEVER,
        "n8n_url": world.n8n.url,
        "n8n_webhook_auth": True,
        "n8n_webhook_secret": TOKEN,
        "n8n_verify_end_to_end": True,
        "n8n_verify_postgres_host": next(iter(networks.values()))["IPAddress"],
        "n8n_postgres_password": DATABASE_PASSWORD,
    }
    world.publish(*world.definitions().values())
    known = {row["id"] for row in world.rows("true")}
    found = role_checks(**live)
    assert sorted(check["id"] for check in found) == [f"4.{number}" for number in range(1, 7)]
    wanted = json.loads(json.dumps(questions(found, active=True)))
    for probe in wanted:
        if "exec" in probe:
            probe["exec"]["container"] = world.doubles[probe["exec"]["container"]].name
    for active in (False, True):
        asked = wanted if active else [probe for probe in wanted if not probe["writes"]]
        rows = judge(found, answer(asked, timeout=10.0, workers=8, read_only=not active), active)
        assert [row["verdict"] for row in rows] == ["ok"] * 6, rows
    assert {row["id"] for row in world.rows("true")} <= known, "a row of the proof is left"

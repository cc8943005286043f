"""The five workflows of the role on a live n8n: what calls them, what they call, and what they do when that fails."""

from __future__ import annotations

import copy
import datetime
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live.probes import answer
from ansible_collections.bestviable.planner_memory.plugins.plugin_utils._checks import judge, questions

from tests.contract.n8n import DATABASE_PASSWORD, postgres_credential
from tests.contract.n8n_world import NEVER, PLAN, SCHEDULE, TIMEOUT, TOKEN, World, of_task, task
from tests.support.run_module import run_module
from tests.support.waiting import until
from tests.support.workflows import rendered, role_checks


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in zip(times, times[1:])]


def waited(series: list[list[float]], wanted: Sequence[float]) -> None:
    """None sooner; how late one is says how busy the machine is, and unit tests ask for how long the workflow waits."""
    assert {len(one) for one in series} == {len(wanted)}, series
    for taken in series:
        assert all(seconds * 0.9 <= gap for seconds, gap in zip(wanted, taken)), series


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
        answer = world.post("coda/task-created", task("twice"))
        assert answer.status_code == 202
        world.execution(answer.json()["run_id"], "coda-to-calendar-sync", "success")
    assert len(world.rows(of_task("twice"))) == 1
    assert len(world.asked("planner-engine", PLAN, task_id="twice")) == 1


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

    def at(name: str, path: str, task_id: str) -> Callable[[], list[float]]:
        return lambda: [one["at"] for one in world.asked(name, path, task_id=task_id)]

    def starts(name: str, hung: float = 0.0) -> Callable[[], list[float]]:
        def times() -> list[float]:
            run = world.execution(runs[name], failing[name].workflow, "error")
            calls = run["data"]["resultData"]["runData"][failing[name].node]
            return [call["startTime"] / 1000 - number * hung for number, call in enumerate(calls)]

        return times

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
            f"timeout of {TIMEOUT}000ms exceeded", coda, "Call planner", created("hangs"), starts("hangs", TIMEOUT)
        ),
        "scheduler-503": Failing(
            "503", coda, "Call scheduler", created("scheduler-503"), at("scheduler-engine", SCHEDULE, "scheduler-503")
        ),
        "nobody": Failing(
            "ECONNREFUSED",
            "calendar-to-nobody",
            "Call Coda",
            lambda: world.post("gcal/nobody", change),
            starts("nobody"),
        ),
    }
    runs = {name: one.start().json()["run_id"] for name, one in failing.items()}
    runs["recovers"] = world.post("coda/task-created", task("recovers")).json()["run_id"]
    assert until(lambda: len(world.alerts("failed at")) >= len(failing)), world.alerts()
    world.execution(runs["recovers"], coda, "success")
    time.sleep(1.0)

    assert len(world.asked("planner-engine", PLAN, task_id="hangs")) == 4
    waited([gaps(one.times()) for one in failing.values()], [2.0, 4.0, 8.0])
    for name, one in failing.items():
        (text,) = world.alerts(f"/executions/{runs[name]}\n")
        assert f"*{one.workflow}* failed at *{one.node}*" in text
        assert one.words in text, text
        assert f"{one.node} failed 4 times" in text
        world.execution(runs[name], one.workflow, "error")
        (row,) = until(lambda run_id=runs[name]: world.rows(f"metadata ->> 'run_id' = '{run_id}'"))
        assert (row["event_type"], row["metadata"]["outcome"]) == ("workflow.failed", "failure")
        assert row["payload"]["node"] == one.node
    assert len(world.alerts("failed at")) == len(failing)

    (row,) = world.rows(of_task("recovers"))
    assert row["metadata"]["outcome"] == "success"
    recovered = gaps(at("planner-engine", PLAN, "recovers")())
    waited([recovered, *(gaps(one.times())[:2] for one in failing.values())], [2.0, 4.0])
    assert world.alerts(f"/executions/{runs['recovers']}\n") == []


def test_a_task_is_not_lost_silently_where_the_credential_is_gone(world: World) -> None:
    run_module("n8n_credential", {**world.n8n.credential, **postgres_credential("doomed")})
    copied = world.definitions(n8n_postgres_credential="doomed")["coda-to-calendar-sync"]
    copied["name"], copied["nodes"][0]["parameters"]["path"] = "coda-to-nowhere", "coda/nowhere"
    world.publish(copied)
    run_module("n8n_credential", {**world.n8n.credential, "name": "doomed", "state": "absent"})
    assert world.post("coda/nowhere", task("nowhere")).status_code == 202
    (text,) = until(lambda: world.alerts("coda-to-nowhere"))
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
    assert until(lambda: registered() == ["1", "1"]), registered()
    world.tell("observer-agent", route="/api/v1/observer/reflect", when={"mode": "weekly"}, status=500)
    # A schedule that n8n takes up after its moment fires on the day after.
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=60)
    cron = f"{soon.second} {soon.minute} {soon.hour} * * *"
    definitions = world.definitions(n8n_daily_cron=cron, n8n_weekly_cron=cron)
    mended = world.publish(definitions["daily-observer-trigger"], definitions["weekly-observer-trigger"])
    assert any("Schedule" in words for words in mended["actions"])
    (row,) = until(lambda: world.rows("event_type = 'observer.daily'"), 180.0)
    assert row["metadata"]["outcome"] == "success"
    assert row["payload"]["reflection"] == "daily reflection of the double"
    assert until(lambda: world.alerts("weekly-observer-trigger"))
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

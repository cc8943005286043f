"""n8n with the role's workflows, and doubles of the services that they call."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.contract.n8n import Rig, postgres_credential
from tests.support.containers import Container, docker
from tests.support.run_module import run_module
from tests.support.waiting import until
from tests.support.workflows import role_workflows

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

    def execution(self, run_id: str, workflow: str, status: str) -> dict[str, Any]:
        """This one, as soon as n8n has kept it: it answers before."""
        (found,) = until(lambda: [run for run in self.executions(workflow, status) if run["id"] == run_id])
        return found


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
    slack = {"name": "planner-memory-slack", "type": "slackIncomingWebhook", "data": {"url": SLACK}}
    credentials = [postgres_credential("planner-memory-postgres"), {"name": "planner-memory-webhook", **header}, slack]
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
    # The next module's have the same names on the network.
    for double in doubles.values():
        docker("rm", "-f", "-v", double.name)


def task(task_id: str, **more: Any) -> dict[str, Any]:
    return {"task_id": task_id, "title": "Write the report", "estimated_hours": 1.5, **more}


def of_task(task_id: str) -> str:
    return f"payload -> 'task' ->> 'task_id' = '{task_id}'"

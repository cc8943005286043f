# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import importlib.util
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import requests

SOURCE = Path(__file__).parents[3] / "images" / "service-double" / "service_double.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("service_double", SOURCE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


service_double = load()


class Client:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.session = requests.Session()
        self.session.trust_env = False

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, self.url + path, timeout=60, **options)

    def told(self, **behaviour: Any) -> requests.Response:
        return self("POST", "/_double/behaviour", json=behaviour)


@contextmanager
def running(name: str) -> Iterator[Client]:
    server = service_double.make_server(name, port=0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield Client(server.server_address[1])
    finally:
        server.double.stopping.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def planner() -> Iterator[Client]:
    with running("planner-engine") as client:
        yield client


PLAN = "/api/v1/planner/plan"


def test_it_says_what_it_is(planner: Client) -> None:
    answer = planner("GET", "/").json()
    assert answer["service"] == "planner-engine"
    assert answer["note"] == "test equipment, not the real service"
    assert f"POST {PLAN}" in answer["routes"]


@pytest.mark.parametrize(
    ("name", "method", "path", "body", "expected"),
    [
        ("memory-gateway", "POST", "/api/v1/memory/remember", {"content": "tea"}, {"status": "remembered"}),
        ("memory-gateway", "GET", "/api/v1/memory/recall?query=tea", None, {"query": "tea", "memories": []}),
        ("planner-engine", "POST", PLAN, {"task_id": "coda:task-1", "title": "Tea"}, {"task_id": "coda:task-1"}),
        (
            "scheduler-engine",
            "POST",
            "/api/v1/scheduler/schedule",
            {"plan_id": 7},
            {"plan_id": 7, "status": "scheduled"},
        ),
        ("scheduler-engine", "GET", "/oauth/callback?code=c&state=s", None, {"status": "authorised", "state": "s"}),
        ("observer-agent", "POST", "/api/v1/observer/reflect?mode=weekly", None, {"mode": "weekly"}),
        ("coda-mcp", "POST", "/mcp", {"jsonrpc": "2.0", "id": 3, "method": "tools/call"}, {"id": 3}),
        ("coda-mcp", "PATCH", "/api/v1/tasks/task-9", {"status": "done"}, {"task": "task-9", "status": "updated"}),
    ],
)
def test_each_service_answers_its_routes(
    name: str, method: str, path: str, body: Any, expected: dict[str, Any]
) -> None:
    with running(name) as client:
        assert client("GET", "/health").json() == {"status": "ok", "service": name}
        response = client(method, path, json=body)
        assert response.status_code == 200
        assert response.json().items() >= expected.items()


def test_it_takes_a_message_for_slack() -> None:
    with running("coda-mcp") as client:
        answer = client("POST", "/services/T0/B0/x", json={"text": "hello"})
        assert (answer.text, answer.headers["content-type"]) == ("ok", "text/plain")
        assert client("GET", "/_double/requests").json()["requests"][0]["body"] == {"text": "hello"}


def test_what_is_remembered_is_recalled() -> None:
    with running("memory-gateway") as client:
        client("POST", "/api/v1/memory/remember", json={"content": "Green tea"})
        client("POST", "/api/v1/memory/remember", json={"content": "Coffee"})
        found = client("GET", "/api/v1/memory/recall", params={"query": "green"}).json()["memories"]
    assert [memory["content"] for memory in found] == ["Green tea"]


def test_it_keeps_what_it_was_asked_without_secrets(planner: Client) -> None:
    planner("GET", "/health")
    planner("POST", PLAN, json={"title": "Tea"}, headers={"Authorization": "Bearer s3cret"})
    kept = planner("GET", "/_double/requests").json()
    assert kept["count"] == 1
    assert kept["requests"][0]["body"] == {"title": "Tea"}
    assert kept["requests"][0]["headers"]["authorization"] == "***"
    assert planner("GET", "/_double/requests?path=/elsewhere").json()["count"] == 0
    planner("DELETE", "/_double/requests")
    assert planner("GET", "/_double/requests").json()["count"] == 0


def test_it_fails_so_many_times(planner: Client) -> None:
    planner.told(fail=3)
    assert [planner("POST", PLAN, json={}).status_code for turn in range(4)] == [500, 500, 500, 200]
    assert planner("GET", "/_double/requests").json()["count"] == 4


def test_it_fails_with_the_status_it_was_told(planner: Client) -> None:
    planner.told(fail=1, status=429)
    assert [planner("POST", PLAN, json={}).status_code for turn in range(2)] == [429, 200]


def test_a_status_holds_until_it_is_reset(planner: Client) -> None:
    planner.told(status=503, route=PLAN)
    assert [planner("POST", PLAN, json={}).status_code for turn in range(3)] == [503, 503, 503]
    assert planner("GET", "/health").status_code == 200
    planner("DELETE", "/_double/behaviour")
    assert planner("POST", PLAN, json={}).status_code == 200


def test_another_route_is_left_alone() -> None:
    with running("scheduler-engine") as client:
        client.told(status=500, route="/oauth/callback")
        assert client("POST", "/api/v1/scheduler/schedule", json={}).status_code == 200
        assert client("GET", "/oauth/callback?code=c").status_code == 500


def test_it_hangs(planner: Client) -> None:
    planner.told(hang_seconds=0.3, route=PLAN)
    begun = time.monotonic()
    assert planner("POST", PLAN, json={}).status_code == 200
    assert time.monotonic() - begun >= 0.3


def test_what_hangs_holds_nothing_else_up(planner: Client) -> None:
    planner.told(hang_seconds=600, route=PLAN)
    hung = threading.Thread(target=planner, args=("POST", PLAN), kwargs={"json": {}}, daemon=True)
    hung.start()
    while planner("GET", "/_double/requests").json()["count"] == 0:
        assert hung.is_alive()
    assert planner("GET", "/health").status_code == 200
    assert hung.is_alive()


def test_it_ends_the_connection_with_a_reset(planner: Client) -> None:
    planner.told(reset=True)
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        planner("POST", PLAN, json={})


def test_it_misbehaves_only_where_it_was_told_to(planner: Client) -> None:
    planner.told(status=503, when={"task_id": "a"})
    assert [planner("POST", PLAN, json={"task_id": task}).status_code for task in "ab"] == [503, 200]
    assert [planner("POST", f"{PLAN}?task_id={task}", json={}).status_code for task in "ab"] == [503, 200]


def test_it_goes_unhealthy_and_recovers(planner: Client) -> None:
    assert planner.told(unhealthy=True).json() == {"unhealthy": True, "rules": []}
    assert planner("GET", "/health").status_code == 503
    planner.told(unhealthy=False)
    assert planner("GET", "/health").status_code == 200


def test_the_health_route_can_hang_by_name(planner: Client) -> None:
    planner.told(hang_seconds=0.2, route="/health")
    assert planner("GET", "/health").elapsed.total_seconds() >= 0.2


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "sentence"),
    [
        ("GET", "/nowhere", {}, 404, "planner-engine has no route /nowhere."),
        ("GET", PLAN, {}, 405, f"{PLAN} answers POST, not GET."),
        ("POST", PLAN, {"data": "{"}, 400, "The body is not JSON"),
        ("POST", PLAN, {"json": []}, 400, "The body must be a JSON object."),
        ("POST", "/_double/behaviour", {"json": {"wrong": 1}}, 400, "Unknown behaviour 'wrong'"),
        ("POST", "/_double/behaviour", {"json": {"fail": "3"}}, 400, "wrong type: '3'"),
        ("POST", "/_double/behaviour", {"json": {"fail": True}}, 400, "wrong type: True"),
        ("POST", "/_double/behaviour", {"json": {"hang_seconds": -1}}, 400, "must not be negative: -1"),
        ("POST", "/_double/behaviour", {"json": {"status": 900}}, 400, "must be from 200 to 599, not 900"),
        ("GET", "/_double/nowhere", {}, 404, "The double knows"),
    ],
)
def test_a_wrong_request_gets_one_sentence(
    planner: Client, method: str, path: str, options: dict[str, Any], status: int, sentence: str
) -> None:
    response = planner(method, path, **options)
    assert response.status_code == status
    assert sentence in response.json()["error"]["message"]


def test_the_observer_refuses_an_unknown_mode() -> None:
    with running("observer-agent") as client:
        response = client("POST", "/api/v1/observer/reflect?mode=hourly")
    assert response.status_code == 400
    assert response.json()["error"]["message"] == "The query parameter 'mode' must be daily or weekly, not 'hourly'."


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"SERVICE_NAME": "valkey"}, "SERVICE_NAME is 'valkey'; it must be one of memory-gateway"),
        ({}, "SERVICE_NAME is ''"),
        ({"SERVICE_NAME": "coda-mcp", "PORT": "http"}, "PORT is 'http'; it must be a number from 1 to 65535."),
    ],
)
def test_a_wrong_start_gets_one_sentence(
    environment: dict[str, str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert service_double.main(environment) == 2
    assert sentence in capsys.readouterr().err

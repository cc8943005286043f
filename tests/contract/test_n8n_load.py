"""Fifty requests a second, while the workflow that answers them is updated, and n8n runs as the role runs it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import requests

from tests.contract.n8n import Rig
from tests.contract.n8n_world import TOKEN, World
from tests.support.flows import flow, node
from tests.support.run_module import run_module
from tests.support.waiting import until
from tests.support.workflows import role_variables

RATE = 50
SECONDS = 6
PATIENCE = 300.0  # for answers, on a machine with other work to do; what is late is not lost

BURST = """WITH burst AS (
    SELECT run.id, run."startedAt" AS began, run."stoppedAt" AS ended FROM execution_entity run
    JOIN events ON metadata ->> 'run_id' = run.id::text WHERE event_source = 'burst' AND run.status = 'success'
)"""
AT_ONCE = """SELECT max(beside) FROM (
    SELECT count(*) AS beside FROM burst one JOIN burst other ON one.began >= other.began AND one.began < other.ended
    GROUP BY one.id
) AS moments"""


def answering(code: int) -> dict[str, Any]:
    """The lightest workflow that answers: n8n's webhooks are loaded, and what n8n keeps of each call."""
    hook = node("Webhook", "webhook", 2.1, httpMethod="POST", path="load", responseMode="responseNode", options={})
    answer = node("Respond", "respondToWebhook", 1.5, respondWith="noData", options={"responseCode": code})
    return flow("load", hook, answer, saveDataSuccessExecution="none")


def test_fifty_requests_a_second_lose_nothing_while_the_workflow_is_updated(n8n: Rig) -> None:
    def publish(code: int) -> None:
        given = {"workflows": [answering(code)], "state": "published", "request_timeout": PATIENCE}
        run_module("n8n_workflow", {**n8n.connection, **n8n.login, **given})

    local = threading.local()
    answers: list[Any] = []

    def call() -> None:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        answer = local.session.post(f"{n8n.url}/webhook/load", json={}, timeout=PATIENCE)
        answers.append(answer.status_code if answer.ok else f"{answer.status_code} {answer.text}")

    def update(code: int) -> None:
        publish(code)
        before = len(answers)
        assert until(lambda: code in answers[before:]), Counter(answers)

    publish(201)
    with ThreadPoolExecutor(RATE * SECONDS + 1) as pool:
        began = time.monotonic()
        updates = pool.submit(lambda: [update(code) for code in (202, 201, 203)])
        calls: list[Future[None]] = []
        while len(calls) < RATE * SECONDS or not updates.done():
            time.sleep(max(0.0, began + len(calls) / RATE - time.monotonic()))
            calls.append(pool.submit(call))
        updates.result()
    for one in calls:
        one.result()
    assert set(answers) == {201, 202, 203}, Counter(answers)
    assert n8n.hook("load", json={}).status_code == 203
    run_module("n8n_workflow", {**n8n.connection, "definition": {"name": "load"}, "state": "absent"})


def test_a_burst_waits_its_turn_and_loses_nothing(world: World) -> None:
    """Each execution has a virtual machine for its expressions: all of a burst at once would be too much for n8n."""
    burst = 120

    def call(number: int) -> int:
        event = {"event_type": "burst", "event_source": "burst", "payload": {"number": number}}
        headers = {"X-Webhook-Token": TOKEN}
        return requests.post(
            f"{world.n8n.url}/webhook/events/log", json=event, headers=headers, timeout=PATIENCE
        ).status_code

    with ThreadPoolExecutor(burst) as pool:
        assert Counter(pool.map(call, range(burst))) == {201: burst}
    assert len(world.rows("event_source = 'burst'")) == burst
    assert until(lambda: world.n8n.sql(f"{BURST} SELECT count(*) FROM burst") == str(burst))
    assert 1 < int(world.n8n.sql(f"{BURST} {AT_ONCE}")) <= role_variables()["n8n_concurrency"]

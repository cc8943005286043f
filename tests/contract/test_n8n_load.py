"""Fifty requests a second, while the workflow that answers them is updated, and n8n runs as the role runs it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from tests.contract.n8n import Rig
from tests.contract.n8n_world import TOKEN, World
from tests.support.flows import flow, node
from tests.support.run_module import run_module
from tests.support.workflows import role_variables

RATE = 50
SECONDS = 6
PATIENCE = 300.0  # for answers, on a machine with other work to do; what is late is not lost


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

    def call(number: int) -> tuple[float, Any]:
        time.sleep(max(0.0, began + number / RATE - time.monotonic()))
        if not hasattr(local, "session"):
            local.session = requests.Session()
        sent = time.monotonic() - began
        answer = local.session.post(f"{n8n.url}/webhook/load", json={}, timeout=PATIENCE)
        return sent, answer.status_code if answer.ok else f"{answer.status_code} {answer.text}"

    def update() -> None:
        for code in (202, 201, 203):
            time.sleep(1.0)
            publish(code)

    publish(201)
    with ThreadPoolExecutor(RATE * SECONDS + 1) as pool:
        began = time.monotonic()
        updates = pool.submit(update)
        calls = list(pool.map(call, range(RATE * SECONDS)))
        updates.result()
    answers = Counter(status for _sent, status in calls)
    assert set(answers) <= {201, 202, 203}, answers
    assert max(sent for sent, _status in calls) < SECONDS * 1.5, "the rate was not kept"
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

    running: list[int] = []
    with ThreadPoolExecutor(burst) as pool:
        calls = [pool.submit(call, number) for number in range(burst)]
        while not all(one.done() for one in calls):
            running.append(int(world.n8n.sql("SELECT count(*) FROM execution_entity WHERE status = 'running'")))
    assert Counter(one.result() for one in calls) == {201: burst}
    assert len(world.rows("event_source = 'burst'")) == burst
    assert 1 < max(running) <= role_variables()["n8n_concurrency"], running

"""What a run with nothing to do costs, by the number of workflows, and what it writes: nothing.

Run by itself: python -m pytest benchmarks/test_n8n_noop.py -s
"""

from __future__ import annotations

import statistics
import time
from typing import Any
from unittest import mock

import requests

from tests.contract.n8n import Rig
from tests.contract.test_n8n_drift import HEADER, clock, fetch, read
from tests.support.run_module import run_module

MOST_SECONDS = 3.0
RUNS = 5


def many(count: int) -> list[dict[str, Any]]:
    """Half of them schedules, half of them webhooks that need a credential; none is published."""
    found = []
    for number in range(count):
        item = clock(f"{number % 60} {number // 60 % 24} * * *") if number % 2 else fetch()
        item["name"] = f"bench-{number:04}"
        if not number % 2:
            item["nodes"][0]["parameters"]["path"] = f"bench/{number}"
        found.append(item)
    return found


def calls_of(module: str, params: dict[str, Any]) -> tuple[dict[str, Any], list[str], float]:
    """The result, the verbs on the wire and the seconds of one run in this process."""
    verbs: list[str] = []
    send = requests.Session.send

    def counted(session: Any, request: Any, **kwargs: Any) -> Any:
        verbs.append(request.method)
        return send(session, request, **kwargs)

    began = time.perf_counter()
    with mock.patch.object(requests.Session, "send", counted):
        result = run_module(module, params)
    return result, verbs, time.perf_counter() - began


def test_nothing_to_do_is_nothing_sent(n8n: Rig) -> None:
    run_module("n8n_credential", {**n8n.credential, **HEADER})
    for count in (5, 50, 500):
        params = {**n8n.connection, "workflows": many(count), "owner_tag": "bench"}
        began = time.perf_counter()
        run_module("n8n_workflow", params)
        made = time.perf_counter() - began
        settled = read(n8n)
        seconds = []
        for _run in range(RUNS):
            result, verbs, took = calls_of("n8n_workflow", params)
            seconds.append(took)
            assert result["changed"] is False
            assert set(verbs) == {"GET"} and len(verbs) <= 3 + -(-count // 250)
        assert read(n8n) == settled
        middle, worst = statistics.median(seconds), max(seconds)
        print(f"{count} workflows: {middle:.2f} s (most {worst:.2f} s), {len(verbs)} GET; made in {made:.1f} s")
    assert middle <= MOST_SECONDS
    for module, given in (("n8n_owner", n8n.owner), ("n8n_credential", {**n8n.credential, **HEADER})):
        result, verbs, took = calls_of(module, given)
        assert (result["changed"], verbs) == (False, ["GET"])
        print(f"{module}: {took:.2f} s, 1 GET")

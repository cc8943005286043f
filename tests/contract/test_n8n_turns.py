"""What n8n takes only in a certain order, and a run that ends in the middle of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._http import Http

from tests.contract.n8n import Rig
from tests.support.flows import call, called, flow, hook, node, simple
from tests.support.run_module import run_module

TAG = "contract-turns"


def options(n8n: Rig, *workflows: dict[str, Any], **over: Any) -> dict[str, Any]:
    given = {**n8n.connection, **n8n.login, "workflows": list(workflows), "state": "published", "owner_tag": TAG}
    return {**given, **over}


@pytest.fixture(autouse=True)
def clean(n8n: Rig) -> Iterator[None]:
    yield
    run_module("n8n_workflow", options(n8n, prune=True, prune_everything=True, prune_to="absent"))


class Killed(BaseException):
    pass


@contextmanager
def killed_after(write: int) -> Iterator[None]:
    """The run ends when n8n has answered this write of n8n's API, counted from 1."""
    request, seen = Http.request, [0]

    def counted(self: Http, method: str, path: str, **kwargs: Any) -> Any:
        answer = request(self, method, path, **kwargs)
        seen[0] += method != "GET" and path.startswith("/api/")
        if seen[0] == write:
            raise Killed
        return answer

    with mock.patch.object(Http, "request", counted), pytest.raises(Killed):
        yield


def test_a_workflow_that_a_killed_run_made_is_taken_up(n8n: Rig) -> None:
    item = {**simple("turns-killed", "turns/killed"), "description": "for people"}
    with killed_after(1):
        run_module("n8n_workflow", options(n8n, item))
    done = run_module("n8n_workflow", options(n8n, item))
    assert done["actions"] == [
        "mark workflow 'turns-killed' with the tag 'contract-turns', which an earlier run made and did not mark",
        "update workflow 'turns-killed': description",
        "publish workflow 'turns-killed'",
    ]
    assert len(n8n.api("GET", "/workflows?name=turns-killed")["data"]) == 1
    assert n8n.hook("turns/killed").status_code == 200
    assert run_module("n8n_workflow", options(n8n, item))["changed"] is False


def answers(n8n: Rig, *paths: str) -> dict[str, str]:
    return {path: n8n.hook(path, json={}).text for path in paths}


def told(name: str, path: str) -> dict[str, Any]:
    """One that answers with its name."""
    answer = node("Answer", "respondToWebhook", 1.1, respondWith="text", responseBody=name, options={})
    item = flow(name, hook(path), answer)
    item["nodes"][0]["parameters"]["responseMode"] = "responseNode"
    return item


def ring(*names: str) -> list[dict[str, Any]]:
    """Each one calls the next, and the last the first."""
    return [called(name, call("Call", after)) for name, after in zip(names, [*names[1:], names[0]])]


def test_paths_move_between_workflows(n8n: Rig) -> None:
    """Two swap, one gives its path up to a new one, and whoever does not have to makes no way."""
    first = [told("turns-a", "turns/x"), told("turns-b", "turns/y"), told("turns-c", "turns/z")]
    run_module("n8n_workflow", options(n8n, *first))
    second = [told("turns-a", "turns/y"), told("turns-b", "turns/x"), told("turns-c", "turns/w")]
    second.append(told("turns-d", "turns/z"))
    predicted = run_module("n8n_workflow", options(n8n, *second), check=True)
    done = run_module("n8n_workflow", options(n8n, *second))
    assert (done["actions"], done["diff"]) == (predicted["actions"], predicted["diff"])
    assert [words for words in done["actions"] if "aside" in words] == [
        "move workflow 'turns-a' aside for a moment, for 'turns-b' takes over its path"
    ]
    expected = {"turns/x": "turns-b", "turns/y": "turns-a", "turns/z": "turns-d", "turns/w": "turns-c"}
    assert answers(n8n, *expected) == expected
    assert run_module("n8n_workflow", options(n8n, *second))["changed"] is False
    plain = {key: value for key, value in options(n8n, *first, state="present").items() if key not in n8n.login}
    run_module("n8n_workflow", {**plain, "prune": True})
    assert run_module("n8n_workflow", options(n8n, *first))["changed"] is False
    expected = {"turns/x": "turns-a", "turns/y": "turns-b", "turns/z": "turns-c"}
    assert answers(n8n, *expected) == expected


def test_workflows_that_call_each_other_are_published(n8n: Rig) -> None:
    """Three in a circle, and one outside of it that calls one of them."""
    names = ["turns-1", "turns-2", "turns-3"]
    given = options(n8n, *ring(*names), flow("turns-0", hook("turns/ring"), call("Call", "turns-2")))
    predicted = run_module("n8n_workflow", given, check=True)
    done = run_module("n8n_workflow", given)
    assert done["actions"] == predicted["actions"]
    assert [words for words in done["actions"] if words.startswith("publish")] == [
        "publish workflow 'turns-1' without its call of 'turns-2' at first, for they call each other in a circle",
        "publish workflow 'turns-3'",
        "publish workflow 'turns-2'",
        "publish workflow 'turns-1'",
        "publish workflow 'turns-0'",
    ]
    assert run_module("n8n_workflow", given)["changed"] is False
    ring_now = [item for item in n8n.api("GET", "/workflows?limit=250")["data"] if item["name"] in names]
    assert all(item["active"] and item["activeVersionId"] == item["versionId"] for item in ring_now)


@pytest.mark.parametrize("write", range(3, 18, 2))
def test_a_run_that_is_killed_at_any_write_is_finished_by_the_next(n8n: Rig, write: int) -> None:
    """Two swap their paths, a third one is new, one goes, and two new ones call each other."""
    first = [told("turns-a", "turns/x"), told("turns-b", "turns/y"), told("turns-old", "turns/old")]
    second = [told("turns-a", "turns/y"), told("turns-b", "turns/x"), told("turns-new", "turns/old")]
    second += ring("turns-c", "turns-d")
    expected = {"turns/x": "turns-b", "turns/y": "turns-a", "turns/old": "turns-new"}
    run_module("n8n_workflow", options(n8n, *first))
    with killed_after(write):
        run_module("n8n_workflow", options(n8n, *second, prune=True))
    run_module("n8n_workflow", options(n8n, *second, prune=True))
    assert answers(n8n, *expected) == expected
    assert run_module("n8n_workflow", options(n8n, *second, prune=True))["changed"] is False

"""Two runs at the same moment, and somebody who works in n8n while a run does."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import ReadBackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.client import Api
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.credentials import Credentials
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.policy import Policy
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.session import Session
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.workflows import Workflows
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import reconcile

from tests.contract.n8n import Rig
from tests.contract.test_n8n_drift import edit, live, read
from tests.support.flows import flow, hook, node
from tests.support.run_module import ModuleFailed, run_module

RUNS = 2
TURNS = 5
TAG = "contract-races"


def raced(note: str = "p") -> dict[str, Any]:
    item = flow("raced", hook("raced"), node("Work", "noOp", 1, note=note))
    return {**item, "description": "for people"}


def options(n8n: Rig, *workflows: dict[str, Any], **over: Any) -> dict[str, Any]:
    given = {"workflows": [*workflows], "state": "published", "owner_tag": TAG}
    return {**n8n.connection, **n8n.login, **given, **over}


@pytest.fixture(autouse=True)
def clean(n8n: Rig) -> Iterator[None]:
    yield
    run_module("n8n_workflow", options(n8n, prune=True, prune_everything=True, prune_to="absent"))


def together(make: Callable[[], Any]) -> list[dict[str, Any]]:
    """What each of two runs says that have both looked before one of them writes."""
    meeting = threading.Barrier(RUNS)

    def run() -> dict[str, Any]:
        resource = make()
        look = resource.observe

        def observe() -> dict[str, Any]:
            resource.observe = look
            seen = look()
            meeting.wait(60)
            return seen

        resource.observe = observe
        try:
            return reconcile(resource, check_mode=False)
        except ReadBackError as error:  # the other one wrote last
            return {"told": str(error)}

    with ThreadPoolExecutor(RUNS) as pool:
        return [one.result() for one in [pool.submit(run) for _number in range(RUNS)]]


@pytest.fixture
def params(n8n: Rig) -> dict[str, Any]:
    given = {"request_timeout": 60.0, "validate_certs": True, "ca_path": None, "assume_empty_if_unreachable": False}
    return {"api_key": None, **given, **n8n.connection, **n8n.login}


def test_runs_at_the_same_moment_make_one_workflow(n8n: Rig, params: dict[str, Any]) -> None:
    def make(tag: str) -> Workflows:
        session = Session(params, read_only=False, email=None, password=None)
        return Workflows(Api(params, read_only=False), [raced()], Policy("published", tag), session=session)

    for _turn in range(TURNS):
        tag = f"{TAG}-{secrets.token_hex(3)}"
        ids = [done["workflows"]["raced"]["id"] for done in together(lambda tag=tag: make(tag))]
        (there,) = n8n.api("GET", "/workflows?name=raced")["data"]
        assert set(ids) == {there["id"]}
        assert [label["name"] for label in there["tags"]] == [tag]
        assert run_module("n8n_workflow", options(n8n, raced(), owner_tag=tag))["changed"] is False
        run_module("n8n_workflow", options(n8n, prune=True, prune_everything=True, prune_to="absent", owner_tag=tag))


def test_runs_at_the_same_moment_make_one_credential(n8n: Rig, params: dict[str, Any], tmp_path: Path) -> None:
    one = {"name": "raced", "type": "httpHeaderAuth", "data": {"name": "X-Raced", "value": "canary"}}

    def make() -> Credentials:
        state_file = str(tmp_path / secrets.token_hex(3))
        return Credentials(Api(params, read_only=False), [one], state="present", state_file=state_file)

    for _turn in range(TURNS):
        told = together(make)
        there = [item for item in n8n.api("GET", "/credentials?limit=250")["data"] if item["name"] == "raced"]
        assert len(there) == 1
        assert any("credentials" in done for done in told), told
        assert all(done.get("credentials", {}).get("raced") in (None, there[0]["id"]) for done in told)
        n8n.api("DELETE", f"/credentials/{there[0]['id']}")


def test_twins_that_stand_are_mended(n8n: Rig) -> None:
    run_module("n8n_workflow", options(n8n, raced()))
    first = live(n8n, "raced")
    body = {key: first[key] for key in ("name", "nodes", "connections", "settings")}
    twin = n8n.api("POST", "/workflows", json=body)["id"]
    n8n.api("PUT", f"/workflows/{twin}/tags", json=[{"id": tag["id"]} for tag in first["tags"]])
    predicted = run_module("n8n_workflow", options(n8n, raced()), check=True)
    mended = run_module("n8n_workflow", options(n8n, raced()))
    assert mended["actions"] == [f"delete workflow 'raced ({twin})', which another run made at the same moment"]
    assert (mended["actions"], mended["diff"]) == (predicted["actions"], predicted["diff"])
    assert [item["id"] for item in n8n.api("GET", "/workflows?name=raced")["data"]] == [first["id"]]
    assert run_module("n8n_workflow", options(n8n, raced()))["changed"] is False


def meddling(n8n: Rig, *notes: str) -> Any:
    """Somebody edits the workflow after each look of a run."""
    left, look = [*notes], Workflows.observe

    def observe(self: Workflows) -> dict[str, Any]:
        seen = look(self)
        if left:
            nodes = live(n8n, "raced")["nodes"]
            nodes[1]["parameters"]["note"] = left.pop(0)
            edit(n8n, "raced", nodes=nodes)
        return seen

    return mock.patch.object(Workflows, "observe", observe)


def test_an_edit_between_looking_and_writing_is_told_and_who_goes_on_is_left_alone(n8n: Rig) -> None:
    run_module("n8n_workflow", options(n8n, raced()))
    with meddling(n8n, "by hand"):
        done = run_module("n8n_workflow", options(n8n, raced("q")))
    assert done["diff"] == {
        "before": {"raced": {"nodes.Work.parameters.note": "by hand"}},
        "after": {"raced": {"nodes.Work.parameters.note": "q"}},
    }
    with (
        meddling(n8n, "one", "two", "three"),
        pytest.raises(ModuleFailed, match="was changed in n8n right before this run"),
    ):
        run_module("n8n_workflow", options(n8n, raced("r")))
    assert live(n8n, "raced")["nodes"][1]["parameters"]["note"] == "three"


def test_copies_of_one_export_in_two_calls_leave_each_other_alone(n8n: Rig) -> None:
    first, second = (flow(name, hook(f"copy/{name}"), node("Work", "noOp", 1)) for name in ("copy-a", "copy-b"))
    for item in (first, second):
        for number, one in enumerate(item["nodes"]):
            one["id"] = f"6f2d1c3e-0000-4000-8000-00000000000{number}"
        run_module("n8n_workflow", options(n8n, item))
    before = read(n8n)
    for item in (first, second):
        assert run_module("n8n_workflow", options(n8n, item))["changed"] is False
    assert read(n8n) == before
    edit(n8n, "copy-a", name="renamed by hand")
    assert run_module("n8n_workflow", options(n8n, second))["changed"] is False
    back = run_module("n8n_workflow", options(n8n, first))
    assert back["actions"] == ["update workflow 'copy-a': name (n8n has it as 'renamed by hand')"]

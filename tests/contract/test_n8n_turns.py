"""What n8n takes only in a certain order, and a run that ends in the middle of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.workflows import Workflows

from tests.contract.n8n import Rig
from tests.support.flows import flow, hook, node
from tests.support.run_module import run_module

TAG = "contract-turns"


def options(n8n: Rig, *workflows: dict[str, Any], **over: Any) -> dict[str, Any]:
    given = {**n8n.connection, **n8n.login, "workflows": list(workflows), "state": "published", "owner_tag": TAG}
    return {**given, **over}


def simple(name: str, path: str) -> dict[str, Any]:
    return flow(name, hook(path), node("Nothing", "noOp", 1))


@pytest.fixture(autouse=True)
def clean(n8n: Rig) -> Iterator[None]:
    yield
    run_module("n8n_workflow", options(n8n, prune=True, prune_to="absent"))


class Killed(BaseException):
    pass


def test_a_workflow_that_a_killed_run_made_is_taken_up(n8n: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_args: Any) -> None:
        raise Killed

    item = {**simple("turns-killed", "turns/killed"), "description": "for people"}
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Workflows, "_tag_one", killed)
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

"""What was live stays live: while n8n gives no answer, and where what replaces it is refused."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError, Unreachable
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n import publishing

from tests.support.flows import flow, hook, node, simple
from tests.support.n8n_double import N8nDouble
from tests.support.n8n_double import run_workflows as run
from tests.support.run_module import ModuleFailed


@pytest.fixture
def double(impatient: None, monkeypatch: pytest.MonkeyPatch) -> N8nDouble:
    monkeypatch.setattr(publishing, "PATIENCE_SECONDS", 0.1)
    made = N8nDouble()
    run(made, simple("w", "x"))
    return made


def proof(monkeypatch: pytest.MonkeyPatch, outcome: Any) -> Mock:
    """A publication's proof ends so: always with this error, or with one of these after the other."""
    prove = Mock(side_effect=outcome)
    monkeypatch.setattr(publishing.Publisher, "prove", prove)
    return prove


def test_a_version_of_which_nothing_is_known_is_left_published(
    double: N8nDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof(monkeypatch, Unreachable("no answer"))
    with pytest.raises(ModuleFailed, match=r"took the new version and then gave no answer about it .*left published"):
        run(double, simple("w", "y"))
    live = double.named("w")
    assert live["active"] and live["activeVersionId"] == live["versionId"]


@pytest.mark.parametrize("status", [502, 503, 504])
def test_an_answer_that_comes_late_is_waited_for(
    double: N8nDouble, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    prove = proof(monkeypatch, [StackError("a proxy's", status=status), Unreachable("no answer"), None])
    assert run(double, simple("w", "y"))["actions"][-1] == "publish the new version of workflow 'w'"
    assert prove.call_count == 3


def test_the_old_version_comes_back_through_a_hiccup(double: N8nDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    before = double.named("w")["activeVersionId"]
    proof(monkeypatch, StackError("n8n could not register its triggers"))
    post, hiccups = publishing.Publisher._post, [Unreachable("no answer"), StackError("a proxy's", status=503)]

    def stumbling(self: Any, live: Any, body: Any) -> None:
        if body and hiccups:
            raise hiccups.pop()
        post(self, live, body)

    monkeypatch.setattr(publishing.Publisher, "_post", stumbling)
    with pytest.raises(ModuleFailed, match="could not register its triggers; the version that was live before is pub"):
        run(double, simple("w", "y"))
    assert double.named("w")["active"] and double.named("w")["activeVersionId"] == before


def test_what_is_pruned_goes_when_what_replaces_it_stands(double: N8nDouble) -> None:
    double.refused = "v"
    with pytest.raises(ModuleFailed, match="no room for v"):
        run(double, flow("v", hook("y")), prune=True, prune_to="absent")
    assert double.named("w")["active"]
    double.refused = None
    done = run(double, flow("v", hook("y")), prune=True, prune_to="absent")["actions"]
    assert [words.split(" ")[0] for words in done] == ["publish", "delete"]


def test_who_holds_the_path_of_what_replaces_it_goes_first(double: N8nDouble) -> None:
    other = flow("v", hook("x"), node("Other", "noOp", 1), node("More", "noOp", 1), node("Third", "noOp", 1))
    done = run(double, other, prune=True)["actions"]
    assert [words.split(" ")[0] for words in done] == ["archive", "create", "mark", "publish"]


def test_a_copy_by_hand_is_not_what_a_killed_run_made() -> None:
    double = N8nDouble()
    declared = simple("w", "x")
    declared["nodes"] = [{**one, "id": f"n{number}"} for number, one in enumerate(declared["nodes"])]
    double.seed(declared, published=False)
    with pytest.raises(ModuleFailed, match="does not carry the tag 'ours', so it is somebody else's"):
        run(double, declared)

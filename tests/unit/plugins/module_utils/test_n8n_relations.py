from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.client import scope_of
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.definition import (
    CredentialIndex,
    changes,
    normal_form,
    request_body,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.relations import (
    WorkflowIndex,
    alike,
    node_id,
    renamed,
    unknown_calls,
    webhook_conflict,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.source import read_directory
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.turns import (
    called_by,
    handovers,
    in_order,
    make_way,
    too_early,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation


def call(name: str, value: str = "") -> dict[str, Any]:
    reference = {"__rl": True, "mode": "list", "value": value, "cachedResultName": name}
    return node("Call", "executeWorkflow", workflowId=reference)


def node(name: str = "Hook", kind: str = "webhook", **parameters: Any) -> dict[str, Any]:
    return {"name": name, "type": f"n8n-nodes-base.{kind}", "parameters": parameters}


def workflow(name: str, *nodes: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return {"name": name, "nodes": list(nodes), "connections": {}, "settings": settings}


LIVE = [{"id": "i1", "name": "sub"}, {"id": "i2", "name": "twin"}, {"id": "i3", "name": "twin"}]


@pytest.mark.parametrize(
    ("wanted", "live", "same"),
    [
        (call("sub"), call("sub", "i1"), True),
        (call("sub"), call("an old name", "i1"), True),
        (call("an old name", "i1"), call("sub", "i1"), True),
        (call("sub"), call("sub", "gone"), False),
    ],
)
def test_a_called_workflow_is_compared_by_name(wanted: Any, live: Any, same: bool) -> None:
    flows = WorkflowIndex(LIVE)
    index = CredentialIndex()
    found = changes(normal_form(workflow("w", live), index, flows), normal_form(workflow("w", wanted), flows=flows))
    assert (found == {}) is same


def test_an_error_workflow_may_be_named_and_is_sent_by_id() -> None:
    flows = WorkflowIndex(LIVE)
    wanted = workflow("w", node(), errorWorkflow="sub")
    assert request_body(wanted, CredentialIndex(), flows=flows)["settings"]["errorWorkflow"] == "i1"
    live = workflow("w", node(), errorWorkflow="i1")
    assert normal_form(live, CredentialIndex(), flows) == normal_form(wanted, flows=flows)


def test_a_call_is_sent_with_the_id_of_this_n8n() -> None:
    body = request_body(workflow("w", call("sub", "of another n8n")), CredentialIndex(), flows=WorkflowIndex(LIVE))
    assert body["nodes"][0]["parameters"]["workflowId"]["value"] == "i1"


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (workflow("w", call("sub")), None),
        (workflow("w", call("later")), None),
        (workflow("w", call("gone")), "node 'Call' refers to the workflow 'gone'"),
        (workflow("w", call("twin")), "refers to the workflow 'twin', and n8n has not exactly one"),
        (workflow("w", errorWorkflow="i1"), None),
        (workflow("w", errorWorkflow="gone"), "settings.errorWorkflow refers to the workflow 'gone'"),
        (workflow("w", errorWorkflow="DEFAULT"), None),
    ],
)
def test_a_call_must_reach_one_workflow(item: Any, words: Optional[str]) -> None:
    found = unknown_calls(item, WorkflowIndex(LIVE, ["later"]))
    assert found == [] if words is None else words in found[0]


def test_who_is_called_comes_first_and_circles_end() -> None:
    wanted = {
        "a": workflow("a", call("c")),
        "b": workflow("b"),
        "c": workflow("c", call("d")),
        "d": workflow("d", call("c"), errorWorkflow="b"),
    }
    assert in_order(wanted, WorkflowIndex(declared=wanted), {}) == ["b", "d", "c", "a"]


def test_a_path_belongs_to_one_workflow_and_method() -> None:
    mine = workflow("mine", node(path="/x/", httpMethod="POST"))
    assert webhook_conflict(mine, [workflow("other", node(path="x"))]) is None
    theirs = {**workflow("theirs", node(path="x", httpMethod=["GET", "POST"])), "id": "i9"}
    assert "'theirs' (id i9)" in str(webhook_conflict(mine, [theirs]))
    both = workflow("both", node("A", path="x"), node("B", path="x"))
    assert "the nodes 'A' and 'B' both answer GET /webhook/x" in str(webhook_conflict(both))


def test_a_renamed_workflow_is_known_by_its_nodes() -> None:
    wanted = workflow("w", node("A"), node("B"))
    stray = {"id": "i1", **workflow("v", {**node("A"), "id": node_id("w", "A")}, {**node("X"), "id": "other"})}
    assert renamed(wanted, [stray]) is stray
    assert renamed(wanted, [stray, dict(stray)]) is None
    assert renamed(wanted, [{"id": "i2", **workflow("v", {**node("A"), "id": "other"})}]) is None


def test_a_workflow_is_known_by_what_it_is() -> None:
    wanted = workflow("w", node(path="x"), node("A", "set", a=1), node("B", "set", b=2))
    same = {"id": "i1", **workflow("v", node(path="x"), node("A", "set", a=1), node("B", "set", b=3))}
    another = {"id": "i2", **workflow("u", node(path="y"), node("A", "set", a=1), node("B", "set", b=2))}
    grown = {"id": "i3", **workflow("t", node(path="x"), *(node(name, "set") for name in "AB"))}
    assert alike(wanted, [another, same, grown]) is same
    assert alike(wanted, [same, {**same}]) is None
    assert alike(wanted, [{**same, "isArchived": True}]) is None
    clock = workflow("w", node("T", "scheduleTrigger"), call("sub"))
    assert alike(clock, [{"id": "i1", **workflow("v", node("T", "scheduleTrigger"), call("sub", "i9"))}]) is not None
    assert alike(clock, [{"id": "i1", **workflow("v", node("T", "scheduleTrigger"), call("other"))}]) is None
    assert alike(clock, [{"id": "i1", **workflow("v", node("T", "scheduleTrigger"))}]) is None


@pytest.mark.parametrize(
    ("call", "scope"),
    [
        (("GET", "/api/v1/workflows"), "workflow:list"),
        (("GET", "/api/v1/workflows/w1"), "workflow:read"),
        (("POST", "/api/v1/workflows"), "workflow:create"),
        (("PUT", "/api/v1/workflows/w1"), "workflow:update"),
        (("POST", "/api/v1/workflows/w1/publish"), "workflow:activate"),
        (("POST", "/api/v1/workflows/w1/unpublish"), "workflow:deactivate"),
        (("PUT", "/api/v1/workflows/w1/tags"), "workflowTags:update"),
        (("PATCH", "/api/v1/credentials/c1"), "credential:update"),
        (("GET", "/api/v1/executions"), "execution:list"),
        (("GET", "/api/v1/other"), None),
    ],
)
def test_the_scope_that_a_call_needs(call: Any, scope: Optional[str]) -> None:
    assert scope_of(*call) == scope


def test_a_directory_is_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "b.JSON").write_text(json.dumps({"name": "b"}), encoding="utf-8")
    (tmp_path / "a.json").write_text(json.dumps([{"name": "a1"}, {"name": "a2"}]), encoding="utf-8")
    (tmp_path / "notes.txt").write_text("{", encoding="utf-8")
    assert [item["name"] for item in read_directory(str(tmp_path))] == ["a1", "a2", "b"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "holds no file whose name ends in .json"),
        ('{"name": "a",\n', "a.json is no JSON: line 2, column 1"),
        ('"text"', "a.json is no workflow"),
        ("[1]", "a.json is no workflow"),
    ],
)
def test_what_a_directory_may_not_hold(tmp_path: Path, text: Optional[str], words: str) -> None:
    if text is not None:
        (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(StackError, match=words):
        read_directory(str(tmp_path))


def test_a_file_that_was_emptied_is_no_reason_to_prune(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"name": "a"}), encoding="utf-8")
    (tmp_path / "b.json").write_text("[]", encoding="utf-8")
    with pytest.raises(StackError, match=r"b.json holds no definition, and prune would put away what it held before"):
        read_directory(str(tmp_path), prune=True)
    for given in ({}, {"prune": True, "prune_everything": True}):
        assert read_directory(str(tmp_path), **given) == [{"name": "a"}]


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="cannot be read: No such file"):
        read_directory(str(tmp_path / "gone"))


def test_who_needs_each_other_waits_for_what_is_made_later() -> None:
    wanted = {
        "a": workflow("a", errorWorkflow="b"),
        "b": workflow("b", errorWorkflow="a"),
        "c": workflow("c", call("b")),
        "d": workflow("d", errorWorkflow="d"),
    }
    flows = WorkflowIndex(declared=wanted)
    assert in_order(wanted, flows, {}) == ["b", "a", "c", "d"]
    assert too_early(["b", "a", "c", "d"], wanted, flows) == ({"b": ["a"]}, {"b", "a", "c"})
    flows.add("i1", "a")
    assert too_early(["b", "a", "c", "d"], wanted, flows) == ({}, set())
    early = request_body(wanted["b"], CredentialIndex(), flows=WorkflowIndex(declared=wanted))
    assert "errorWorkflow" not in early["settings"]


def answering(name: str, path: str, **state: Any) -> dict[str, Any]:
    return {"id": f"id of {name}", "active": True, **workflow(name, node(path=path, httpMethod="POST")), **state}


def test_who_takes_a_path_over_from_whom() -> None:
    def wanted(**paths: str) -> dict[str, Any]:
        return {name: workflow(name, node(path=path, httpMethod="POST")) for name, path in paths.items()}

    live = {name: answering(name, path) for name, path in {"a": "x", "b": "y"}.items()}
    assert handovers(live, wanted(a="y", b="x")) == {"a": {"b"}, "b": {"a"}}
    assert handovers(live, wanted(a="z", b="x", c="y")) == {"b": {"a"}, "c": {"b"}}
    assert handovers(live, wanted(a="x", b="x")) == {}  # which is refused as a conflict
    older = {"activeVersion": {"nodes": [node(path="old", httpMethod="POST")]}}
    assert handovers({"a": answering("a", "x", **older)}, wanted(a="x", c="old")) == {"c": {"a"}}
    assert handovers({"a": answering("a", "x", active=False)}, wanted(a="z", c="x")) == {}


def test_who_gives_a_path_up_comes_first_unless_it_calls_who_takes_it() -> None:
    wanted = {"a": workflow("a"), "b": workflow("b"), "c": workflow("c", call("b"))}
    flows = WorkflowIndex(declared=wanted)
    assert in_order(wanted, flows, {"a": {"b"}}) == ["b", "a", "c"]
    assert in_order(wanted, flows, {"a": {"c"}}) == ["b", "c", "a"]
    assert in_order(wanted, flows, {"b": {"c"}}) == ["a", "b", "c"]
    assert in_order(wanted, flows, {"a": {"b"}, "b": {"a"}}) == ["b", "a", "c"]


def test_what_n8n_wants_to_be_published_first() -> None:
    tool = {**call("sub"), "name": "Tool", "type": "@n8n/n8n-nodes-langchain.toolWorkflow"}
    resting = {**call("later"), "name": "Resting", "disabled": True}
    file = {**call("twin"), "name": "File"}
    file["parameters"]["source"] = "localFile"
    item = workflow("w", call("sub"), {**call("w"), "name": "Again"}, tool, resting, file)
    assert called_by(item, WorkflowIndex(LIVE, ["w", "later"])) == {"sub": ["Call"]}


def test_who_still_holds_a_path_makes_way_for_a_moment() -> None:
    steps = [Operation("update", "b", ""), *(Operation("publish", name, "") for name in ("b", "a", "c"))]
    turned = make_way(steps, {"b": {"a"}, "a": {"b"}, "c": {"a"}})
    assert [(step.verb, step.target) for step in turned] == [
        ("update", "b"),
        ("aside", "a"),
        ("publish", "b"),
        ("publish", "a"),
        ("publish", "c"),
    ]

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.definition import (
    UNRESOLVED,
    CredentialIndex,
    changes,
    check_wanted,
    managed_part,
    normal_form,
    readable,
    request_body,
    unresolved,
    webhooks,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.relations import node_id


def node(name: str = "Hook", **over: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": "n8n-nodes-base.webhook",
        "typeVersion": 2.1,
        "position": [0, 0],
        "parameters": {"httpMethod": "POST", "path": "events/log"},
        **over,
    }


def workflow(*nodes: dict[str, Any], **over: Any) -> dict[str, Any]:
    return {"name": "w", "nodes": list(nodes) or [node()], "connections": {}, "settings": {}, **over}


INDEX = CredentialIndex(
    [
        {"id": "c1", "name": "pg", "type": "postgres"},
        {"id": "c2", "name": "twin", "type": "postgres"},
        {"id": "c3", "name": "twin", "type": "postgres"},
        {"id": "c4", "name": "pg", "type": "httpHeaderAuth"},
    ]
)


def with_credential(reference: Any, **over: Any) -> dict[str, Any]:
    return node("PG", credentials={"postgres": reference}, **over)


@pytest.mark.parametrize(
    ("definition", "sentence"),
    [
        (workflow(name=""), "number 1 has the name ''; a name has 1 to 128 characters"),
        (workflow(name="x" * 129), "a name has 1 to 128 characters"),
        (workflow(nodes=[]), "'w' needs nodes"),
        (workflow(connections=None), "'w' needs nodes"),
        (workflow("Hook"), "a node that is no mapping"),
        (workflow(node(foo=1)), "node 'Hook': n8n knows no key 'foo'; remove it"),
        (workflow({"name": "Hook", "type": "t"}), "node 'Hook': typeVersion is missing; add it"),
        (workflow(node(name=["Hook"])), "node '['Hook']': name is no text; put it in quotes"),
        (workflow(node(parameters=[1])), "node 'Hook': parameters is no mapping; write it as one"),
        (workflow(node(credentials=["pg"])), "node 'Hook': credentials is no mapping; write it as one"),
        (workflow(settings=["v1"]), "'w': settings is no mapping; write it as one"),
        (workflow(node(), node()), "more than one node named 'Hook'; rename one"),
        (workflow(node(typeVersion="2.1")), "node 'Hook': typeVersion is '2.1', which is no number; write a number"),
        (workflow(node(typeVersion=True)), "typeVersion is True, which is no number"),
        (workflow(node(position="middle")), "position is 'middle', which is no number"),
        (workflow(node(position=[0, "0"])), "position is '0', which is no number"),
        (
            workflow(node(parameters={"a": [1, {"b": float("nan")}]})),
            "workflow 'w': nodes[0].parameters.a[1].b (nan) is no number that JSON can carry; write a number, or null",
        ),
        (workflow(settings={"executionTimeout": float("inf")}), "settings.executionTimeout (inf) is no number that"),
        (workflow(connections={"Gone": {"main": [[{"node": "Hook"}]]}}), "connections name 'Gone'"),
        (workflow(connections={"Hook": {"main": [None, [{"node": "Gone"}]]}}), "connections name 'Gone'"),
        (workflow(connections={"Hook": [[]]}), "connections have not the shape"),
    ],
)
def test_a_definition_that_n8n_would_refuse_is_one_sentence(definition: Any, sentence: str) -> None:
    with pytest.raises(StackError, match=re.escape(sentence)):
        check_wanted([definition], content=True)


def test_two_definitions_of_one_name_are_refused() -> None:
    with pytest.raises(StackError, match="'w' is declared 2 times"):
        check_wanted([workflow(), workflow()], content=True)


def test_a_name_is_enough_to_delete() -> None:
    check_wanted([{"name": "w"}], content=False)


@pytest.mark.parametrize(
    "live",
    [
        workflow(node(id="n1", webhookId="h1"), active=True, versionId="v", pinData={}, staticData={"a": 1}, tags=[]),
        workflow(settings={"timezone": "DEFAULT", "executionTimeout": -1, "binaryMode": "separate"}),
    ],
)
def test_what_n8n_adds_is_no_difference(live: dict[str, Any]) -> None:
    assert changes(normal_form(live, INDEX), normal_form(workflow())) == {}


@pytest.mark.parametrize(
    ("reference", "seen"),
    [
        ({"id": "c1", "name": "pg"}, "pg"),
        ({"id": None, "name": "pg"}, UNRESOLVED),
        ({"id": "gone", "name": "pg"}, UNRESOLVED),
        ("pg", UNRESOLVED),
    ],
)
def test_a_live_reference_counts_only_when_its_credential_exists(reference: Any, seen: str) -> None:
    form = normal_form(workflow(with_credential(reference)), INDEX)
    assert form["nodes"]["PG"]["credentials"] == {"postgres": seen}


def test_a_disabled_node_is_compared_by_name_for_n8n_does_not_resolve_it() -> None:
    form = normal_form(workflow(with_credential({"id": None, "name": "pg"}, disabled=True)), INDEX)
    assert form["nodes"]["PG"]["credentials"] == {"postgres": "pg"}


@pytest.mark.parametrize(
    ("name", "words"),
    [("pg", []), ("gone", ["there is none"]), ("twin", ["there are 2"])],
)
def test_a_reference_must_name_exactly_one_credential(name: str, words: list[str]) -> None:
    found = unresolved(workflow(with_credential({"id": None, "name": name})), INDEX)
    assert len(found) == len(words)
    assert all(word in sentence for word, sentence in zip(words, found))


@pytest.mark.parametrize(
    ("live", "wanted", "managed"),
    [
        ({"saveManualExecutions": True}, {}, {}),
        ({"saveManualExecutions": True}, {"saveManualExecutions": False}, {"saveManualExecutions": True}),
        ({"timezone": "UTC", "executionOrder": "v1"}, {}, {"timezone": "UTC"}),
    ],
)
def test_settings_that_cannot_be_removed_are_left_to_n8n(live: Any, wanted: Any, managed: Any) -> None:
    part = managed_part(normal_form(workflow(settings=live), INDEX), normal_form(workflow(settings=wanted)))
    assert part["settings"] == managed


def test_a_body_keeps_the_live_ids_and_removes_settings_by_their_sentinels() -> None:
    live = workflow(
        node(id="live", webhookId="hook"),
        settings={"timezone": "UTC", "executionTimeout": 5, "errorWorkflow": "DEFAULT", "executionOrder": "v1"},
        description="old",
    )
    wanted = workflow(node(id="mine"), node("Other", id="other"), settings={"executionOrder": "v1"}, description="new")
    body = request_body(wanted, INDEX, live)
    made = node_id("w", "Other")
    assert [(item["id"], item.get("webhookId")) for item in body["nodes"]] == [("live", "hook"), (made, made)]
    assert body["settings"] == {
        "executionOrder": "v1",
        "timezone": "DEFAULT",
        "executionTimeout": -1,
        "errorWorkflow": "DEFAULT",
    }
    assert body["description"] == "new"
    assert set(body) == {"name", "nodes", "connections", "settings", "description"}


def test_a_webhook_node_that_is_named_anew_keeps_the_ids_of_who_answered_there() -> None:
    other = {"httpMethod": "POST", "path": "other"}
    live = workflow(node(id="l1", webhookId="h1"), node("Other", id="l2", webhookId="h2", parameters=other))
    body = request_body(workflow(node("Named anew"), node("Hook", parameters=other)), INDEX, live)
    kept = [(item["name"], item["id"], item["webhookId"]) for item in body["nodes"]]
    made = node_id("w", "Named anew")
    assert kept == [("Named anew", made, made), ("Hook", "l1", "h1")]  # whoever has the name is the same one
    body = request_body(workflow(node("Named anew"), node("Other", parameters=other)), INDEX, live)
    assert [(item["id"], item["webhookId"]) for item in body["nodes"]] == [("l1", "h1"), ("l2", "h2")]
    elsewhere = {"httpMethod": "GET", "path": "events/log"}
    body = request_body(workflow(node("Named anew", parameters=elsewhere)), INDEX, live)
    assert body["nodes"][0]["id"] == made


def test_a_node_that_became_another_type_gets_no_old_id() -> None:
    body = request_body(workflow(node(type="other")), INDEX, workflow(node(id="live")))
    assert body["nodes"][0]["id"] == node_id("w", "Hook")
    again = request_body(workflow(node(type="other")), INDEX, workflow(node(id=node_id("w", "Hook"))))
    assert "id" not in again["nodes"][0]


def test_a_new_workflow_is_sent_without_sentinels_and_description() -> None:
    wanted = workflow(with_credential("pg"), settings={"timezone": "DEFAULT", "binaryMode": "x"}, description="d")
    body = request_body(wanted, INDEX)
    assert body["settings"] == {}
    assert "description" not in body
    assert body["nodes"][0]["credentials"] == {"postgres": {"id": "c1", "name": "pg"}}


def test_changes_name_the_leaf_and_show_code_by_line() -> None:
    before = {"nodes": {"A": {"code": "a\nb", "same": 1}, "Gone": {"x": 1}}}
    after = {"nodes": {"A": {"code": "a\nc", "same": 1}}}
    assert changes(before, after) == {"nodes.A.code": (["a", "b"], ["a", "c"]), "nodes.Gone": ({"x": 1}, None)}
    assert changes(before, before) == {}


def test_a_node_that_goes_shows_no_older_secret() -> None:
    before = {"nodes": {"Old name": {"type": "http", "parameters": {"url": "https://example.org/older-secret"}}}}
    found = changes(before, {"nodes": {}}, secrets=["a-new-secret"])
    assert found == {"nodes.Old name": ({"type": "http", "parameters": "*** (differs)"}, None)}
    assert readable({"a": ["x\ny", 1]}) == {"a": [["x", "y"], 1]}


def test_webhooks_are_those_whose_path_is_known() -> None:
    nodes = [
        node(),
        node("Get", parameters={"path": "/events/log/"}),
        node("Expr", parameters={"path": "={{ $json.x }}"}),
        node("Param", parameters={"path": "a/:id"}),
        node("Off", disabled=True, parameters={"path": "off"}),
        node("Many", parameters={"path": "many", "httpMethod": ["GET", "PUT"]}),
        node("Set", type="n8n-nodes-base.set"),
    ]
    assert webhooks(workflow(*nodes)) == [
        ("events/log", frozenset({"GET", "POST"})),
        ("many", frozenset({"GET", "PUT"})),
    ]

"""Ownership by tag, the owner's session, and what is refused before anything is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import responses
from responses.matchers import header_matcher, json_params_matcher

from tests.support.run_module import ModuleFailed
from tests.unit.plugins.modules.test_n8n_workflow import (
    API,
    BASE,
    NOT_YET,
    PG,
    REGISTERED,
    definition,
    draft,
    listing,
    live,
    looked,
    made,
    ordered,
    probe,
    publish,
    run,
)

TAG = {"id": "t1", "name": "ours"}
OWNED = {"tags": [TAG]}
STATUS = f"{BASE}/rest/workflows/w1/publication-status"
LOGIN = {"owner_email": "david@example.com", "owner_password": "Canary-owner-1"}


pytestmark = pytest.mark.usefixtures("impatient")


def log_in(types: Any = ("n8n-nodes-base.webhook@2.1", "n8n-nodes-base.postgres@2.7")) -> None:
    body = {"emailOrLdapLoginId": LOGIN["owner_email"], "password": LOGIN["owner_password"]}
    cookie = {"Set-Cookie": "n8n-auth=session; Path=/"}
    responses.post(f"{BASE}/rest/login", json={}, headers=cookie, match=[json_params_matcher(body)])
    know(types)


def know(types: Any = ("n8n-nodes-base.webhook@2.1", "n8n-nodes-base.postgres@2.7")) -> None:
    session = header_matcher({"Cookie": "n8n-auth=session"})
    responses.get(f"{BASE}/types/node-versions.json", json=list(types), match=[session])


def status(word: str, *triggers: dict[str, Any]) -> None:
    responses.get(STATUS, json={"data": {"status": word, "triggers": list(triggers)}})


@ordered
@pytest.mark.parametrize("known", [True, False])
def test_a_new_workflow_is_marked_before_it_is_published(known: bool) -> None:
    another = live("x", name="another", **OWNED) if known else live("x", name="another")
    another["nodes"] = []
    listing(another, credentials=[PG])
    made(draft())
    if not known:
        responses.get(f"{BASE}/api/v1/tags", json={"data": [], "nextCursor": None})
        responses.post(f"{BASE}/api/v1/tags", status=201, json=TAG, match=[json_params_matcher({"name": "ours"})])
    responses.put(f"{API}/w1/tags", json=[TAG], match=[json_params_matcher([{"id": "t1"}])])
    publish()
    probe(REGISTERED)
    listing(live(**OWNED), another, credentials=[PG])
    result = run("published", owner_tag="ours")
    assert result["actions"] == [
        "create workflow 'w' with 2 nodes",
        "mark workflow 'w' with the tag 'ours'",
        "publish workflow 'w'",
    ]


@ordered
def test_somebody_elses_workflow_is_refused_left_or_adopted() -> None:
    mine = {"id": "t2", "name": "private"}
    seen = live(tags=[mine])
    listing(seen, credentials=[PG])
    with pytest.raises(ModuleFailed, match=r"'w' \(id w1\) is in n8n already and does not carry the tag 'ours'"):
        run("published", owner_tag="ours", check=True)
    responses.reset()
    listing(seen, credentials=[PG])
    assert run("published", owner_tag="ours", on_existing="leave", definition=definition(query="2"))["changed"] is False
    responses.reset()
    listing(seen, credentials=[PG])
    responses.get(f"{BASE}/api/v1/tags", json={"data": [TAG, mine], "nextCursor": None})
    responses.put(f"{API}/w1/tags", json=[], match=[json_params_matcher([{"id": "t1"}, {"id": "t2"}])])
    listing(live(tags=[TAG, mine]), credentials=[PG])
    result = run("published", owner_tag="ours", on_existing="adopt")
    assert result["diff"] == {"before": {"w": {"owner_tag": None}}, "after": {"w": {"owner_tag": "ours"}}}


@ordered
@pytest.mark.parametrize(("to", "words"), [("archived", "archive"), ("absent", "delete")])
def test_prune_takes_what_is_ours_and_no_longer_declared(to: str, words: str) -> None:
    old = live("w9", name="old", active=False, **OWNED)
    foreign = live("w8", name="foreign", active=False)
    listing(live(**OWNED), old, foreign, credentials=[PG])
    if to == "archived":
        responses.post(f"{API}/w9/archive", json={})
    else:
        responses.delete(f"{API}/w9", json={})
    left = [{**old, "isArchived": True}] if to == "archived" else []
    listing(live(**OWNED), foreign, *left, credentials=[PG])
    result = run("published", owner_tag="ours", prune=True, prune_to=to)
    assert result["actions"] == [f"{words} workflow 'old', which is no longer declared"]
    assert result["diff"]["before"] == {"old": {"publication": "unpublished"}}


@ordered
@pytest.mark.parametrize("source", ["list", "directory", "files"])
def test_prune_of_everything_takes_a_second_word(source: str, tmp_path: Path) -> None:
    if source == "files":
        (tmp_path / "none.json").write_text("[]", encoding="utf-8")
    given = {"workflows": [] if source == "list" else None, "directory": None if source == "list" else str(tmp_path)}
    given = {**given, "definition": None, "owner_tag": "ours", "prune": True}
    sentence = {
        "directory": r"holds no file whose name ends in .json; correct the path",
    }.get(
        source, r"no workflow is declared, and prune would put away every one that carries the tag 'ours'; declare what"
    )
    for check in (True, False):
        with pytest.raises(ModuleFailed, match=sentence):
            run("published", **given, check=check)
    listing(live("w9", name="old", active=False, **OWNED), live("w8", name="foreign"))
    predicted = run("published", **given, prune_everything=True, check=True)
    assert predicted["actions"] == ["archive workflow 'old', which is no longer declared"]


@ordered
def test_what_is_archived_already_stays_so() -> None:
    listing(live(**OWNED), live("w9", name="old", isArchived=True, active=False, **OWNED), credentials=[PG])
    assert run("published", owner_tag="ours", prune=True)["changed"] is False


@ordered
def test_a_renamed_workflow_gets_its_name_back() -> None:
    wanted = definition()
    for number, node in enumerate(wanted["nodes"]):
        node["id"] = f"n{number}"
    listing({**live(**OWNED), "name": "renamed"}, credentials=[PG])
    looked({**live(**OWNED), "name": "renamed"})
    responses.put(f"{API}/w1", json=live())
    listing(live(**OWNED), credentials=[PG])
    result = run("published", owner_tag="ours", definition=wanted)
    assert result["actions"] == ["update workflow 'w': name (n8n has it as 'renamed')"]
    assert result["diff"] == {"before": {"w": {"name": "renamed"}}, "after": {"w": {"name": "w"}}}


@ordered
def test_archived_puts_away_what_is_there_and_makes_nothing() -> None:
    listing(live())
    responses.post(f"{API}/w1/archive", json={})
    listing(live(isArchived=True, active=False))
    params = {"definition": None, "workflows": [{"name": "w"}, {"name": "never there"}]}
    result = run("archived", **params)
    assert result["actions"] == ["archive workflow 'w'"]
    assert result["diff"]["after"] == {"w": {"publication": "archived"}}


@ordered
def test_a_publication_is_proven_by_n8ns_own_status(tmp_path: Path) -> None:
    listing(draft(), credentials=[PG])
    log_in()
    publish()
    status("in_progress")
    status("published", {"nodeId": "n0", "status": "activated", "errorMessage": None})
    probe(REGISTERED)
    listing(live(), credentials=[PG])
    session = tmp_path / "session"
    assert run("published", **LOGIN, session_file=str(session))["actions"] == ["publish workflow 'w'"]
    assert session.read_text(encoding="utf-8") == "n8n-auth=session\n"
    assert session.stat().st_mode & 0o777 == 0o600


@ordered
@pytest.mark.parametrize(
    ("seen", "call", "body", "rest"),
    [
        (draft(), "unpublish", {}, "it is unpublished again"),
        (
            live(versionId="v2"),
            "publish",
            {"versionId": "v1"},
            "the version that was live before is published again",
        ),
    ],
)
def test_a_publication_that_fails_is_taken_back_with_n8ns_words(seen: Any, call: str, body: Any, rest: str) -> None:
    listing(seen, credentials=[PG])
    log_in()
    publish()
    status("failed", {"nodeId": "n0", "status": "failed", "errorMessage": "no room"})
    responses.post(f"{API}/w1/{call}", json={}, match=[json_params_matcher(body)])
    sentence = rf"workflow 'w': n8n could not register its triggers: node 'Hook': no room; {rest}"
    with pytest.raises(ModuleFailed, match=sentence) as failed:
        run("published", **LOGIN)
    assert "Canary" not in json.dumps(failed.value.result)


@ordered
@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("types", "words"),
    [
        (["n8n-nodes-base.webhook@2.1", "n8n-nodes-base.postgre@1"], "'PG': n8n has no node type 'n8n-nodes-base.post"),
        (["n8n-nodes-base.webhook@2.1", "n8n-nodes-base.postgres@1"], "not in version 2.7, but in 1"),
    ],
)
def test_a_node_that_n8n_does_not_have_is_told_before_anything_is_sent(types: Any, words: str, check: bool) -> None:
    listing(credentials=[PG])
    log_in(types)
    with pytest.raises(ModuleFailed, match=words):
        run("published", check=check, **LOGIN)


@ordered
@pytest.mark.parametrize("answer", [{"body": "<html>"}, {"status": 404, "json": {}}, {"json": []}])
def test_an_n8n_that_does_not_tell_its_nodes_is_believed(answer: Any) -> None:
    listing(draft(), credentials=[PG])
    log_in()
    responses.remove("GET", f"{BASE}/types/node-versions.json")
    responses.get(f"{BASE}/types/node-versions.json", **answer)
    publish()
    responses.get(STATUS, status=404, json={})
    probe(REGISTERED)
    listing(live(), credentials=[PG])
    assert run("published", **LOGIN)["changed"] is True


@ordered
def test_no_change_asks_nothing_of_the_owner() -> None:
    listing(live(), credentials=[PG])
    assert run("published", **LOGIN)["changed"] is False


@ordered
def test_a_wrong_password_of_the_owner_is_one_sentence() -> None:
    listing(draft(), credentials=[PG])
    responses.post(f"{BASE}/rest/login", status=401, json={})
    with pytest.raises(ModuleFailed, match=r"owner_password: n8n at .* does not accept it for david@example.com"):
        run("published", **LOGIN)


@ordered
def test_a_path_of_another_workflow_is_refused_before_anything_is_sent() -> None:
    listing(live("x", name="another"), credentials=[PG])
    sentence = r"'w', node 'Hook' wants POST /webhook/events/log, which belongs to the workflow 'another' \(id x\)"
    with pytest.raises(ModuleFailed, match=sentence):
        run("published", check=True)


@ordered
def test_two_declared_workflows_on_one_path_are_refused() -> None:
    listing(credentials=[PG])
    both = {"definition": None, "workflows": [definition(), definition(name="v")]}
    with pytest.raises(ModuleFailed, match="which belongs to the workflow 'v'; give one another path"):
        run("published", **both)


@ordered
def test_a_path_that_was_just_given_up_is_waited_for() -> None:
    old = live("w9", name="old", **OWNED)
    listing(old, draft(**OWNED), credentials=[PG])
    responses.post(f"{API}/w9/archive", json={})
    probe(REGISTERED, NOT_YET)
    responses.post(f"{API}/w1/publish", status=409, json={"message": "There is a conflict with one of the webhooks."})
    publish()
    probe(REGISTERED)
    listing({**old, "isArchived": True, "active": False}, live(**OWNED), credentials=[PG])
    assert len(run("published", owner_tag="ours", prune=True)["actions"]) == 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"prune": True}, "prune is True but all of the following are missing: owner_tag"),
        ({"prune": True, "owner_tag": "x", "state": "absent"}, "it goes with a declaration of what is to stay"),
        ({"directory": "/nowhere", "definition": None}, "directory: /nowhere cannot be read"),
        ({"definition": None}, "one of the following is required: workflows, definition, directory"),
    ],
)
def test_options_that_do_not_go_together(given: Any, words: str) -> None:
    with pytest.raises(ModuleFailed, match=words):
        run(**{"state": "published", **given})


@ordered
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"body": "n8n is starting up. Please wait", "content_type": "text/html"}, "is still starting; wait until"),
        ({"status": 404, "body": "<pre>Cannot GET /api/v1/workflows</pre>"}, "is still starting; wait until"),
        ({"body": "<!DOCTYPE html><html>", "content_type": "text/html"}, "is no API of n8n .*; correct url"),
        (
            {"status": 404, "body": "File not found"},
            f"what answers at {BASE} has no API of n8n .GET .* answered 404: File not found.; correct url",
        ),
        (
            {"status": 302, "headers": {"Location": "/login"}},
            f"what answers at {BASE} has no API of n8n .* 302: no mess",
        ),
        ({"json": {"hello": "world"}}, "is no n8n: /workflows is no listing; correct url"),
        ({"status": 403, "json": {"message": "Forbidden"}}, "api_key may not GET .*lacks the scope workflow:list"),
    ],
)
def test_what_is_no_n8n_or_not_yet_one(answer: Any, words: str) -> None:
    responses.get(API, **answer)
    with pytest.raises(ModuleFailed, match=words):
        run("published")


@ordered
def test_two_that_name_each_other_as_error_workflow_take_one_run() -> None:
    def item(name: str, other: str, **more: Any) -> dict[str, Any]:
        hook = {"name": "Failed", "type": "n8n-nodes-base.errorTrigger", "typeVersion": 1, "position": [0, 0]}
        return {"name": name, "nodes": [{**hook, "parameters": {}}], "connections": {}, **more} | {
            "settings": {"errorWorkflow": other} if other else {}
        }

    def seen(name: str, other: str, *, active: bool = False) -> dict[str, Any]:
        version = {"versionId": "v1", "activeVersionId": "v1" if active else None}
        return item(name, other, id=f"id-{name}", active=active, isArchived=False, **version)

    def settings(name: str) -> Any:
        return json_params_matcher({"settings": {"errorWorkflow": f"id-{name}"}}, strict_match=False)

    listing()
    made(seen("b", ""), match=[json_params_matcher({"name": "b", "settings": {}}, strict_match=False)])
    made(seen("a", "id-b"), match=[settings("b")])
    responses.get(f"{API}/id-b", json=seen("b", ""))
    responses.put(f"{API}/id-b", json=seen("b", "id-a"), match=[settings("a")])
    responses.post(f"{API}/id-b/publish", json={})
    responses.post(f"{API}/id-a/publish", json={})
    listing(seen("a", "id-b", active=True), seen("b", "id-a", active=True))
    result = run("published", definition=None, workflows=[item("a", "b"), item("b", "a")])
    assert result["actions"] == [
        "create workflow 'b' with 1 nodes",
        "create workflow 'a' with 1 nodes",
        "complete workflow 'b' with 'a', made after it",
        "publish workflow 'b'",
        "publish workflow 'a'",
    ]

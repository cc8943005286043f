"""What somebody does in n8n behind our back, and what n8n itself keeps to itself."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.n8n import Rig
from tests.support.flows import call, called, flow, hook, node
from tests.support.law import Law
from tests.support.run_module import ModuleFailed, run_module
from tests.support.waiting import until

TAG = "contract-drift"
COLUMNS = 'id, name, active, "isArchived", nodes, settings, "versionId", "activeVersionId", "updatedAt"'


def caller() -> dict[str, Any]:
    return flow("a-caller", hook("drift/call"), call("Call", "drift-sub"), errorWorkflow="drift-alarm")


def callee() -> dict[str, Any]:
    return called("drift-sub")


def alarm() -> dict[str, Any]:
    return flow("drift-alarm", node("Failed", "errorTrigger", 1), node("Nothing", "noOp", 1))


def fetch() -> dict[str, Any]:
    secured = node("Fetch", "httpRequest", 4.2, url="http://127.0.0.1:9/", authentication="genericCredentialType")
    secured["parameters"]["genericAuthType"] = "httpHeaderAuth"
    secured["credentials"] = {"httpHeaderAuth": {"id": None, "name": "drift-header"}}
    return flow("drift-fetch", hook("drift/fetch"), secured)


def clock(expression: str = "0 18 * * *") -> dict[str, Any]:
    rule = {"interval": [{"field": "cronExpression", "expression": expression}]}
    return flow("drift-clock", node("At six", "scheduleTrigger", 1.2, rule=rule), node("Nothing", "noOp", 1))


def everything() -> list[dict[str, Any]]:
    return [caller(), callee(), alarm(), fetch(), clock()]


HEADER = {"name": "drift-header", "type": "httpHeaderAuth", "data": {"name": "X-Drift", "value": "canary"}}


def options(n8n: Rig, **over: Any) -> dict[str, Any]:
    return {**n8n.connection, **n8n.login, "workflows": everything(), "state": "published", "owner_tag": TAG, **over}


@pytest.fixture(autouse=True)
def clean(n8n: Rig) -> Any:
    run_module("n8n_credential", {**n8n.credential, **HEADER})
    yield
    run_module("n8n_workflow", options(n8n, workflows=[], prune=True, prune_everything=True, prune_to="absent"))
    run_module("n8n_credential", {**n8n.credential, "name": HEADER["name"], "state": "absent"})


def read(n8n: Rig) -> str:
    return n8n.sql(f"SELECT {COLUMNS} FROM workflow_entity ORDER BY id")


def live(n8n: Rig, name: str) -> dict[str, Any]:
    return n8n.api("GET", f"/workflows?name={name}")["data"][0]


def edit(n8n: Rig, workflow: str, **over: Any) -> None:
    seen = live(n8n, workflow)
    body = {**{key: seen[key] for key in ("name", "nodes", "connections", "settings")}, **over}
    n8n.api("PUT", f"/workflows/{seen['id']}", json=body)


def test_the_law_of_workflows_that_need_each_other(n8n: Rig) -> None:
    changed = everything()
    changed[4] = clock("30 17 * * 5")

    def drift() -> None:
        nodes = copy.deepcopy(live(n8n, "drift-fetch")["nodes"])
        nodes[1]["parameters"]["url"] = "http://127.0.0.1:9/elsewhere"
        edit(n8n, "drift-fetch", nodes=nodes)

    Law(
        module="n8n_workflow",
        create=options(n8n),
        update=options(n8n, workflows=changed),
        delete=options(n8n, workflows=[], prune=True, prune_everything=True),
        independent_read=lambda: read(n8n),
        drift=drift,
        drift_words="update workflow 'drift-fetch': nodes.Fetch.parameters.url",
    ).hold()


def test_four_hands_at_once_are_named_and_mended(n8n: Rig) -> None:
    run_module("n8n_workflow", options(n8n))
    nodes = copy.deepcopy(live(n8n, "drift-fetch")["nodes"])
    nodes[1]["parameters"]["url"] = "http://127.0.0.1:9/elsewhere"
    edit(n8n, "drift-fetch", nodes=nodes)
    n8n.api("POST", f"/workflows/{live(n8n, 'drift-clock')['id']}/unpublish", json={})
    edit(n8n, "a-caller", name="Somebody renamed this")
    listed = n8n.api("GET", "/credentials?limit=250")["data"]
    n8n.api("DELETE", f"/credentials/{next(item['id'] for item in listed if item['name'] == 'drift-header')}")
    predicted = run_module("n8n_credential", {**n8n.credential, **HEADER}, check=True)
    assert predicted["actions"] == ["create credential 'drift-header' of type httpHeaderAuth"]
    run_module("n8n_credential", {**n8n.credential, **HEADER})
    before = read(n8n)
    predicted = run_module("n8n_workflow", options(n8n), check=True)
    assert read(n8n) == before
    mended = run_module("n8n_workflow", options(n8n))
    assert (
        mended["actions"]
        == predicted["actions"]
        == [
            "update workflow 'a-caller': name (n8n has it as 'Somebody renamed this')",
            "publish workflow 'drift-clock'",
            "update workflow 'drift-fetch': nodes.Fetch.credentials.httpHeaderAuth, nodes.Fetch.parameters.url",
            "publish the new version of workflow 'drift-fetch'",
        ]
    )
    assert mended["diff"] == predicted["diff"]
    settled = read(n8n)
    assert run_module("n8n_workflow", options(n8n))["changed"] is False
    assert read(n8n) == settled


def test_a_trigger_that_fails_is_told_and_the_old_version_runs_on(n8n: Rig) -> None:
    run_module("n8n_workflow", options(n8n, workflows=[clock()]))
    version = live(n8n, "drift-clock")["activeVersionId"]
    sentence = r"triggers: node 'At six': .*Invalid cron expression.*; the version that was live before is published"
    with pytest.raises(ModuleFailed, match=sentence):
        run_module("n8n_workflow", options(n8n, workflows=[clock("={{ 'no cron' }}")]))
    assert live(n8n, "drift-clock")["activeVersionId"] == version


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"type": "n8n-nodes-base.noOpp"}, "node 'Nothing': n8n has no node type 'n8n-nodes-base.noOpp'; did you mean"),
        ({"typeVersion": 99}, "node 'Nothing': n8n has the type n8n-nodes-base.noOp not in version 99, but in 1"),
    ],
)
def test_an_unknown_node_leaves_everything_untouched(n8n: Rig, change: dict[str, Any], sentence: str) -> None:
    run_module("n8n_workflow", options(n8n, workflows=[clock()]))
    before = read(n8n)
    wrong = clock()
    wrong["nodes"][1].update(change)
    for check in (True, False):
        with pytest.raises(ModuleFailed, match=sentence):
            run_module("n8n_workflow", options(n8n, workflows=[wrong]), check=check)
    assert read(n8n) == before


def test_a_workflow_of_somebody_else_is_not_touched(n8n: Rig) -> None:
    run_module("n8n_workflow", options(n8n, workflows=[clock()], owner_tag="contract-other"))
    before = read(n8n)
    with pytest.raises(ModuleFailed, match=rf"does not carry the tag '{TAG}', so it is somebody else's"):
        run_module("n8n_workflow", options(n8n, workflows=[clock("0 1 * * *")]))
    left = run_module("n8n_workflow", options(n8n, workflows=[clock("0 1 * * *")], on_existing="leave"))
    assert left["changed"] is False
    assert read(n8n) == before
    run_module("n8n_workflow", options(n8n, workflows=[clock()], on_existing="adopt"))
    tags = {tag["name"] for tag in live(n8n, "drift-clock")["tags"]}
    assert tags == {TAG, "contract-other"}


def test_an_adopted_workflow_that_is_renamed_is_the_same_one(n8n: Rig) -> None:
    by_hand = fetch()
    del by_hand["nodes"][1]["credentials"]
    known = n8n.api("POST", "/workflows", json=by_hand)["id"]
    run_module("n8n_workflow", options(n8n, workflows=[fetch()], on_existing="adopt"))
    edit(n8n, "drift-fetch", name="Somebody renamed this")
    back = run_module("n8n_workflow", options(n8n, workflows=[fetch()]))
    assert back["actions"] == ["update workflow 'drift-fetch': name (n8n has it as 'Somebody renamed this')"]
    another = {**fetch(), "name": "drift-fetched"}
    moved = run_module("n8n_workflow", options(n8n, workflows=[another], prune=True))
    assert moved["actions"] == ["update workflow 'drift-fetched': name (n8n has it as 'drift-fetch')"]
    assert moved["workflows"]["drift-fetched"]["id"] == known


def test_a_credential_that_lost_its_name_is_told_or_bound_anew(n8n: Rig) -> None:
    run_module("n8n_workflow", options(n8n, workflows=[fetch()]))
    bound = live(n8n, "drift-fetch")["nodes"][1]["credentials"]["httpHeaderAuth"]["id"]
    n8n.api("PATCH", f"/credentials/{bound}", json={"name": "somebody renamed it"})
    assert run_module("n8n_workflow", options(n8n, workflows=[fetch()]), check=True)["changed"] is False
    with pytest.raises(ModuleFailed, match="refers to the httpHeaderAuth credential 'drift-header', and there is none"):
        run_module("n8n_workflow", options(n8n, workflows=[fetch()]))
    new = n8n.api("POST", "/credentials", json=HEADER)["id"]
    done = run_module("n8n_workflow", options(n8n, workflows=[fetch()]))
    assert done["actions"][0] == "update workflow 'drift-fetch': nodes.Fetch.credentials.httpHeaderAuth"
    assert live(n8n, "drift-fetch")["nodes"][1]["credentials"]["httpHeaderAuth"]["id"] == new
    n8n.api("DELETE", f"/credentials/{bound}")


def test_archived_is_a_state(n8n: Rig) -> None:
    run_module("n8n_workflow", options(n8n, workflows=[clock()]))
    gone = options(n8n, workflows=[{"name": "drift-clock"}], state="archived")
    assert run_module("n8n_workflow", gone)["actions"] == ["archive workflow 'drift-clock'"]
    assert run_module("n8n_workflow", gone)["changed"] is False
    again = run_module("n8n_workflow", options(n8n, workflows=[clock()]))
    assert again["actions"] == ["take workflow 'drift-clock' out of the archive", "publish workflow 'drift-clock'"]


def test_a_directory_is_a_source(n8n: Rig, tmp_path: Path) -> None:
    for item in (clock(), alarm()):
        (tmp_path / f"{item['name']}.json").write_text(json.dumps(item), encoding="utf-8")
    given = options(n8n, directory=str(tmp_path))
    del given["workflows"]
    assert set(run_module("n8n_workflow", given)["workflows"]) == {"drift-alarm", "drift-clock"}
    (tmp_path / "drift-alarm.json").unlink()
    pruned = run_module("n8n_workflow", {**given, "prune": True})
    assert pruned["actions"] == ["archive workflow 'drift-alarm', which is no longer declared"]


def test_a_key_without_a_scope_is_told_which(n8n: Rig) -> None:
    key = {"id": "contractscope0001", "key": "n8n_api_" + "c" * 40}
    scopes = '["workflow:list","workflow:create","credential:list"]'
    n8n.sql(
        'INSERT INTO user_api_keys (id, "userId", label, "apiKey", scopes, audience) SELECT '
        f"'{key['id']}', id, 'contract-scope', '{key['key']}', '{scopes}', 'public-api' FROM \"user\" LIMIT 1"
    )
    given = options(n8n, workflows=[clock()], owner_tag=None, api_key=key["key"])
    given = {name: value for name, value in given.items() if value is not None}
    with pytest.raises(ModuleFailed, match=r"api_key may not POST .*/publish, for it lacks the scope workflow:act"):
        run_module("n8n_workflow", given)
    n8n.sql(f"DELETE FROM user_api_keys WHERE id = '{key['id']}'")
    run_module("n8n_workflow", {**n8n.connection, "definition": {"name": "drift-clock"}, "state": "absent"})


def test_what_n8n_tells_of_itself(n8n: Rig) -> None:
    def stop(reason: str) -> dict[str, Any]:
        fails = node("Give up", "stopAndError", 1, errorMessage=reason)
        return flow("drift-stop", hook("drift/stop"), fails)

    run_module("n8n_workflow", options(n8n, workflows=[*everything(), stop("no use")]))
    asked = {**n8n.connection, **n8n.login, "tag": TAG, "definitions": True}
    told = run_module("n8n_workflow_info", asked)["workflows"]
    assert {item["triggers"]["status"] for item in told} == {"published"}
    definitions = [item["definition"] for item in told]
    assert run_module("n8n_workflow", options(n8n, workflows=definitions))["changed"] is False
    found = run_module("n8n_credential_info", {**n8n.connection, "names": ["drift-header"]})["credentials"]
    assert [item["type"] for item in found] == ["httpHeaderAuth"]
    n8n.hook("drift/stop", json={})
    failed = {**n8n.connection, "workflow": "drift-stop", "status": "error", "limit": 1}
    (ran,) = until(lambda: run_module("n8n_execution_info", failed)["executions"])
    assert ran["error"] == {"message": "no use", "node": "Give up"}


def test_a_credential_that_was_renamed_or_is_rotated(n8n: Rig) -> None:
    listed = n8n.api("GET", "/credentials?limit=250")["data"]
    known = next(item["id"] for item in listed if item["name"] == "drift-header")
    n8n.api("PATCH", f"/credentials/{known}", json={"name": "somebody renamed it"})
    given = {**n8n.credential, **HEADER}
    predicted = run_module("n8n_credential", given, check=True)
    mended = run_module("n8n_credential", given)
    assert "it was renamed to 'somebody renamed it'" in mended["actions"][0]
    assert (mended["actions"], mended["diff"]) == (predicted["actions"], predicted["diff"])
    assert run_module("n8n_credential", given)["changed"] is False
    assert run_module("n8n_credential", {**given, "rotate": True})["changed"] is True
    assert run_module("n8n_credential", given)["changed"] is False

"""What is wrong is told in one sentence, and the version that is live stays as it is."""

from __future__ import annotations

import copy
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.contract.n8n import Rig
from tests.contract.test_n8n_drift import edit, live, options, read
from tests.support.flows import flow, hook, node
from tests.support.run_module import ModuleFailed, run_module

HEADER = {"name": "refusal-header", "type": "httpHeaderAuth", "data": {"name": "X-Refusal", "value": "canary"}}


def good() -> dict[str, Any]:
    """A webhook that answers, and a clock; ``nodes`` are Hook, Answer, Fetch and Clock."""
    item = flow(
        "refusal",
        {**hook("refusal/live"), "webhookId": "6f2d1c3e-0000-4000-8000-000000000001"},
        node("Answer", "noOp", 1),
        node("Fetch", "httpRequest", 4.2, url="http://127.0.0.1:9/", authentication="genericCredentialType"),
        timezone="Etc/UTC",
    )
    item["nodes"][2]["parameters"]["genericAuthType"] = "httpHeaderAuth"
    item["nodes"][2]["credentials"] = {"httpHeaderAuth": {"id": None, "name": HEADER["name"]}}
    item["nodes"][2]["onError"] = "continueRegularOutput"
    rule = {"interval": [{"field": "cronExpression", "expression": "0 18 * * *"}]}
    item["nodes"].append(node("Clock", "scheduleTrigger", 1.2, rule=rule))
    return item


@pytest.fixture
def published(n8n: Rig) -> Iterator[Rig]:
    run_module("n8n_credential", {**n8n.credential, **HEADER})
    run_module("n8n_workflow", options(n8n, workflows=[good(), neighbour()]))
    assert n8n.hook("refusal/live", json={}).status_code == 200
    yield n8n
    run_module("n8n_workflow", options(n8n, workflows=[], prune=True, prune_everything=True, prune_to="absent"))
    run_module("n8n_credential", {**n8n.credential, "name": HEADER["name"], "state": "absent"})


def neighbour() -> dict[str, Any]:
    return flow("refusal-neighbour", hook("refusal/taken"), node("Nothing", "noOp", 1))


def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    item = copy.deepcopy(good())
    change(item)
    return item


def cron(expression: str) -> Callable[[dict[str, Any]], None]:
    return lambda item: item["nodes"][3]["parameters"]["rule"]["interval"][0].update(expression=expression)


def with_credential(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda item: item["nodes"][2]["credentials"]["httpHeaderAuth"].update(name=name)


BAD: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "unknown-type": (
        lambda item: item["nodes"][1].update(type="n8n-nodes-base.noOpp"),
        r"workflow 'refusal', node 'Answer': n8n has no node type 'n8n-nodes-base.noOpp'; did you mean",
    ),
    "unknown-version": (
        lambda item: item["nodes"][1].update(typeVersion=99),
        r"workflow 'refusal', node 'Answer': n8n has the type n8n-nodes-base.noOp not in version 99, but in 1",
    ),
    "cron": (cron("0 25 * * *"), r"workflow 'refusal', node 'Clock': .*0 25 \* \* \*"),
    "hour": (
        lambda item: item["nodes"][3]["parameters"]["rule"].update(interval=[{"field": "days", "triggerAtHour": 99}]),
        r"workflow 'refusal', node 'Clock': triggerAtHour is 99; n8n takes 0 to 23",
    ),
    "no-place": (
        lambda item: item["settings"].update(timezone="Factory"),
        r"workflow 'refusal': settings.timezone is 'Factory', which is the name of no place",
    ),
    "zone": (lambda item: item["settings"].update(timezone="Mars/Olympus"), r"workflow 'refusal'.*Mars/Olympus"),
    "credential-missing": (
        with_credential("nobody"),
        r"workflow 'refusal', node 'Fetch' refers to the httpHeaderAuth credential 'nobody', and there is none; create",
    ),
    "path": (
        lambda item: item["nodes"][0]["parameters"].update(path="refusal/taken"),
        r"workflow 'refusal', node 'Hook' wants POST /webhook/refusal/taken, which belongs to the workflow",
    ),
    "setting": (
        lambda item: item["settings"].update(timeZone="Etc/UTC"),
        r"workflow 'refusal': n8n knows no setting 'timeZone'; did you mean timezone",
    ),
    "order": (
        lambda item: item["settings"].update(executionOrder="v9"),
        r"workflow 'refusal': settings.executionOrder is 'v9'; n8n takes v0 or v1",
    ),
    "method": (
        lambda item: item["nodes"][0]["parameters"].update(httpMethod="FETCH"),
        r"workflow 'refusal', node 'Hook': httpMethod is 'FETCH'; ",
    ),
    "node-twice": (
        lambda item: item["nodes"][1].update(name="Hook"),
        r"workflow 'refusal' has more than one node named 'Hook'",
    ),
    "wire": (
        lambda item: item["connections"].update(Nobody={"main": []}, Hook={"main": [[{"node": "Nobody"}]]}),
        r"workflow 'refusal': connections name 'Nobody', and there is no such node",
    ),
}


def refuse(n8n: Rig, params: dict[str, Any], sentence: str, *, predicted: bool = True) -> None:
    """Told in one sentence, in check mode too; nothing was written, and the webhook still answers.

    What an earlier task of a play may still bring, as a credential, is a warning in check mode.
    """
    before = read(n8n)
    if not predicted:
        (warning,) = run_module("n8n_workflow", params, check=True)["warnings"]
        assert re.search(sentence, warning)
    for check in (True, False) if predicted else (False,):
        with pytest.raises(ModuleFailed, match=sentence) as failed:
            run_module("n8n_workflow", params, check=check)
        assert "\n" not in str(failed.value) and "Traceback" not in str(failed.value.result)
    assert read(n8n) == before
    assert n8n.hook("refusal/live", json={}).status_code == 200


def test_what_is_wrong_with_a_definition_is_told_before_anything_is_sent(published: Rig, tmp_path: Path) -> None:
    for name, (change, sentence) in BAD.items():
        given = options(published, workflows=[changed(change), neighbour()])
        refuse(published, given, sentence, predicted=name != "credential-missing")
    (tmp_path / "broken.json").write_text('{"name": "refusal", "nodes": [}', encoding="utf-8")
    given = {key: value for key, value in options(published).items() if key != "workflows"}
    refuse(published, {**given, "directory": str(tmp_path)}, r"broken.json is no JSON: line 1, column 31")
    made = published.api("POST", "/credentials", json=HEADER)
    ambiguous = changed(lambda item: item["nodes"][1].update(notes="a change, so that there is something to do"))
    sentence = r"refers to the httpHeaderAuth credential 'refusal-header', and there are 2; create exactly one"
    refuse(published, options(published, workflows=[ambiguous, neighbour()]), sentence, predicted=False)
    published.api("DELETE", f"/credentials/{made['id']}")


def test_what_is_too_large_is_told_without_the_marks_of_a_page(published: Rig) -> None:
    large = changed(lambda item: item["nodes"][1].update(notes="x" * (17 << 20)))
    sentence = r"workflow 'refusal': PUT .* answered 413: .*; it is larger than n8n takes at once, which is 16 MiB"
    with pytest.raises(ModuleFailed, match=sentence) as failed:
        run_module("n8n_workflow", options(published, workflows=[large, neighbour()]))
    assert "<" not in str(failed.value)
    assert published.hook("refusal/live", json={}).status_code == 200


@contextmanager
def key_without(n8n: Rig, scope: str) -> Iterator[str]:
    key = "n8n_api_" + "c" * 40
    given = ("workflow:list", "workflow:read", "workflow:create", "workflow:update", "workflow:activate")
    scopes = json.dumps([one for one in (*given, "credential:list", "tag:list") if one != scope])
    n8n.sql(
        'INSERT INTO user_api_keys (id, "userId", label, "apiKey", scopes, audience) SELECT '
        f"'contractscope0002', id, 'contract-scope', '{key}', '{scopes}', 'public-api' FROM \"user\" LIMIT 1"
    )
    yield key
    n8n.sql("DELETE FROM user_api_keys WHERE id = 'contractscope0002'")


@pytest.mark.parametrize(
    "scope", ["workflow:list", "credential:list", "workflow:update", "workflow:activate", "workflow:create"]
)
def test_a_key_without_a_scope_leaves_the_live_version(published: Rig, scope: str) -> None:
    before = live(published, "refusal")
    items = [changed(lambda item: item["nodes"][2]["parameters"].update(url="http://127.0.0.1:9/new")), neighbour()]
    if scope == "workflow:create":
        items = [good(), neighbour(), flow("refusal-new", hook("refusal/new"), node("Nothing", "noOp", 1))]
    with key_without(published, scope) as key, pytest.raises(ModuleFailed, match=f"it lacks the scope {scope}"):
        run_module("n8n_workflow", options(published, workflows=items, api_key=key))
    now = live(published, "refusal")
    assert now["activeVersionId"] == before["activeVersionId"]
    assert published.hook("refusal/live", json={}).status_code == 200


def test_an_n8n_that_is_still_starting_says_so(n8n: Rig) -> None:
    told = [sentence for sentence in n8n.starting if "is still starting; wait until" in sentence]
    assert told, n8n.starting
    assert all("\n" not in sentence for sentence in n8n.starting)


PAGES = {
    "another-server": (
        200,
        "text/html",
        "<html>a page of somebody else</html>",
        r"what answers at .* is no API of n8n",
    ),
    "login-page": (401, "text/html", "<html>log in</html>", r"does not accept api_key"),
    "proxy": (502, "text/html", "<html>Bad Gateway</html>", r"GET /api/v1/workflows answered 502: Bad Gateway"),
    "another-api": (200, "application/json", '{"data": {}}', r"is no n8n: /workflows is no listing; correct url"),
    "starting": (200, "text/html", "n8n is starting up. Please wait", r"is still starting; wait until .*/readiness"),
}


@pytest.mark.parametrize("name", PAGES)
def test_what_is_no_n8n_is_one_sentence(name: str, tmp_path: Path) -> None:
    status, kind, text, sentence = PAGES[name]

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    params = {"url": f"http://127.0.0.1:{server.server_port}", "api_key": "canary-key", "workflows": [good()]}
    try:
        with pytest.raises(ModuleFailed, match=sentence) as failed:
            run_module("n8n_workflow", params, check=True)
        assert "\n" not in str(failed.value) and "canary" not in str(failed.value.result)
    finally:
        server.shutdown()
        server.server_close()


def test_two_of_one_name_are_refused(published: Rig) -> None:
    edit(published, "refusal-neighbour", name="refusal")
    sentence = r"n8n has more than one workflow named 'refusal' \(ids .* and .*\); delete or rename one"
    refuse(published, options(published, workflows=[good()]), sentence)

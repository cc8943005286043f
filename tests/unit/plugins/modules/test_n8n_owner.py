from __future__ import annotations

import contextlib
import stat
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n import owner
from responses.matchers import header_matcher, json_params_matcher, query_param_matcher
from responses.registries import OrderedRegistry

from tests.support.run_module import ModuleFailed, run_module

BASE = "http://n8n.test:5678"
PASSWORD = "Canary-password-1"
RAW = "eyJ-canary-key"


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    return {
        "url": BASE,
        "email": "david@example.com",
        "password": PASSWORD,
        "api_key_file": str(tmp_path / "state" / "api_key"),
        "wait_timeout": 0,
    }


@pytest.fixture
def kept_key(options: dict[str, Any]) -> str:
    path = Path(options["api_key_file"])
    path.parent.mkdir()
    path.write_text("kept-key\n", encoding="utf-8")
    return "kept-key"


def ready() -> None:
    responses.get(f"{BASE}/healthz/readiness", json={"status": "ok"})


def try_key(key: str, status: int = 200) -> None:
    responses.get(
        f"{BASE}/api/v1/workflows",
        status=status,
        json={"data": [], "nextCursor": None} if status == 200 else {"message": "Unauthorized"},
        match=[
            header_matcher({"X-N8N-API-KEY": key}),
            query_param_matcher({"limit": "1", "excludePinnedData": "true"}),
        ],
    )


def settings(*, fresh: bool) -> None:
    responses.get(f"{BASE}/rest/settings", json={"data": {"userManagement": {"showSetupOnFirstLoad": fresh}}})


def make_key(known: list[dict[str, str]]) -> None:
    cookie = header_matcher({"Cookie": "n8n-auth=session"})
    responses.get(f"{BASE}/rest/api-keys", json={"data": {"items": known}}, match=[cookie])
    for item in known:
        if item["label"] == "ansible":
            responses.delete(f"{BASE}/rest/api-keys/{item['id']}", json={"data": {"success": True}}, match=[cookie])
    offered = [*owner.SCOPES[:3], "user:list"]
    responses.get(f"{BASE}/rest/api-keys/scopes", json={"data": offered}, match=[cookie])
    body = {"label": "ansible", "expiresAt": None, "scopes": list(owner.SCOPES[:3])}
    responses.post(
        f"{BASE}/rest/api-keys", json={"data": {"rawApiKey": RAW}}, match=[cookie, json_params_matcher(body)]
    )


def ordered(test: Any) -> Any:
    return responses.activate(registry=OrderedRegistry, assert_all_requests_are_fired=True)(test)


@ordered
def test_a_key_that_works_costs_one_read(options: dict[str, Any], kept_key: str) -> None:
    try_key(kept_key)
    result = run_module("n8n_owner", options)
    assert result["changed"] is False
    assert result["diff"]["before"] == result["diff"]["after"] == {"owner": "set up", "api_key": "works"}


@ordered
def test_a_fresh_n8n_gets_owner_and_key_without_a_login(options: dict[str, Any]) -> None:
    ready()
    settings(fresh=True)
    body = {"email": "david@example.com", "firstName": "Planner", "lastName": "Memory", "password": PASSWORD}
    responses.post(
        f"{BASE}/rest/owner/setup",
        json={"data": {}},
        headers={"Set-Cookie": "n8n-auth=session; Path=/; HttpOnly; Secure"},
        match=[json_params_matcher(body)],
    )
    make_key([])
    try_key(RAW)
    result = run_module("n8n_owner", options)
    path = Path(options["api_key_file"])
    assert path.read_text(encoding="utf-8") == f"{RAW}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert result["actions"] == [
        "set up david@example.com as the owner of n8n",
        f"make the API key 'ansible' and keep it in {path}",
    ]
    assert "canary" not in str(result).lower()


@ordered
def test_a_refused_key_is_replaced_after_one_login(options: dict[str, Any], kept_key: str) -> None:
    try_key(kept_key, 401)
    ready()
    try_key(kept_key, 401)
    settings(fresh=False)
    responses.post(
        f"{BASE}/rest/login",
        json={"data": {}},
        headers={"Set-Cookie": "n8n-auth=session; Path=/"},
        match=[json_params_matcher({"emailOrLdapLoginId": "david@example.com", "password": PASSWORD})],
    )
    make_key([{"id": "k1", "label": "ansible"}, {"id": "k2", "label": "mine"}])
    try_key(RAW)
    result = run_module("n8n_owner", options)
    assert result["diff"]["before"] == {"owner": "set up", "api_key": "refused"}
    assert result["actions"][0].endswith("n8n refuses the one that is there")


@ordered
def test_an_n8n_that_is_still_starting_is_waited_for(options: dict[str, Any], kept_key: str) -> None:
    responses.get(f"{BASE}/api/v1/workflows", body="n8n is starting up. Please wait", content_type="text/html")
    ready()
    try_key(kept_key)
    assert run_module("n8n_owner", options)["changed"] is False


@ordered
def test_a_session_that_is_kept_saves_the_login(options: dict[str, Any], tmp_path: Path) -> None:
    session = tmp_path / "session"
    session.write_text("n8n-auth=session\n", encoding="utf-8")
    ready()
    settings(fresh=False)
    responses.get(f"{BASE}/rest/login", json={"data": {}}, match=[header_matcher({"Cookie": "n8n-auth=session"})])
    make_key([])
    try_key(RAW)
    assert run_module("n8n_owner", {**options, "session_file": str(session), "password": ""})["changed"] is True


@ordered
def test_a_session_that_is_no_longer_accepted_is_replaced(options: dict[str, Any], tmp_path: Path) -> None:
    session = tmp_path / "session"
    session.write_text("n8n-auth=old\n", encoding="utf-8")
    ready()
    settings(fresh=False)
    responses.get(f"{BASE}/rest/login", status=401, json={})
    responses.post(f"{BASE}/rest/login", json={"data": {}}, headers={"Set-Cookie": "n8n-auth=session; Path=/"})
    make_key([])
    try_key(RAW)
    run_module("n8n_owner", {**options, "session_file": str(session)})
    assert session.read_text(encoding="utf-8") == "n8n-auth=session\n"
    assert stat.S_IMODE(session.stat().st_mode) == 0o600


def test_check_mode_predicts_on_a_host_where_nothing_answers(options: dict[str, Any]) -> None:
    nobody = {"url": "http://127.0.0.1:9", "assume_empty_if_unreachable": True}
    result = run_module("n8n_owner", {**options, **nobody}, check=True)
    assert result["changed"] is True
    assert len(result["actions"]) == 2
    assert result["diff"]["after"] == {"owner": "set up", "api_key": "works"}


@ordered
@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"status": 401, "json": {"message": "Wrong username or password."}}, "does not accept it for david@example"),
        ({"status": 429, "body": "Too many requests", "headers": {"Retry-After": "42"}}, "try again in 42 s"),
        ({"status": 200, "body": "<html>"}, "gave no session; is this an n8n?"),
    ],
)
def test_a_login_that_fails_is_one_sentence(options: dict[str, Any], answer: dict[str, Any], sentence: str) -> None:
    ready()
    settings(fresh=False)
    responses.post(f"{BASE}/rest/login", **answer)
    with pytest.raises(ModuleFailed, match=sentence) as failed:
        run_module("n8n_owner", options)
    assert PASSWORD not in str(failed.value.result)


@ordered
def test_no_password_is_told_before_a_login_is_tried(options: dict[str, Any]) -> None:
    ready()
    settings(fresh=False)
    with pytest.raises(ModuleFailed, match="password: it is needed to make an API key, and it is empty"):
        run_module("n8n_owner", {**options, "password": ""})


@ordered
def test_an_n8n_that_never_gets_ready_is_told_with_its_last_answer(options: dict[str, Any]) -> None:
    responses.get(f"{BASE}/healthz/readiness", status=503, json={"status": "error"})
    with pytest.raises(ModuleFailed, match=r"was not ready within 0 s .*answered 503"):
        run_module("n8n_owner", options)


@ordered
@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"body": "n8n is starting up. Please wait", "content_type": "text/html"}, "is still starting; wait until"),
        (
            {
                "body": "<!DOCTYPE html><html><head><title>Shop</title></head><body>Buy</body>",
                "content_type": "text/html",
            },
            r"what answers at .* is no API of n8n \(.*expected JSON, got text/html: 'Buy'\); correct url",
        ),
        ({"json": {}}, "is no n8n: GET /rest/settings has not n8n's form; correct url"),
        ({"json": {"data": []}}, "is no n8n: GET /rest/settings has not n8n's form; correct url"),
        ({"json": [1]}, "is no n8n: GET /rest/settings has not n8n's form; correct url"),
        ({"status": 404, "body": "<h1>Not Found</h1>"}, r"is no n8n \(GET .* answered 404: Not Found\); correct url"),
        ({"status": 302, "headers": {"Location": "/"}}, r"is no n8n \(GET .* answered 302: no message\); correct url"),
    ],
)
def test_another_server_at_the_address_is_told(
    options: dict[str, Any], answer: dict[str, Any], sentence: str, check: bool
) -> None:
    ready()
    responses.get(f"{BASE}/rest/settings", **answer)
    with pytest.raises(ModuleFailed, match=sentence) as failed:
        run_module("n8n_owner", options, check=check)
    assert "<" not in str(failed.value)


@ordered
@pytest.mark.parametrize("answers", [[{}], [{"items": 1}], [{"items": []}, {}], [{"items": []}, [], {}]])
def test_answers_of_another_form_are_one_sentence(options: dict[str, Any], answers: list[Any]) -> None:
    ready()
    settings(fresh=False)
    responses.post(f"{BASE}/rest/login", json={}, headers={"Set-Cookie": "n8n-auth=session; Path=/"})
    calls = (("GET", "/rest/api-keys"), ("GET", "/rest/api-keys/scopes"), ("POST", "/rest/api-keys"))
    for (method, path), data in zip(calls, answers):
        responses.add(method, f"{BASE}{path}", json={"data": data} if data != {} else {})
    with pytest.raises(ModuleFailed, match=r"is no n8n: .* has not n8n's form; correct url"):
        run_module("n8n_owner", options)


@ordered
@pytest.mark.parametrize("body", ["<html>", "{}", "[]"])
def test_a_kept_key_proves_nothing_to_another_server(options: dict[str, Any], kept_key: str, body: str) -> None:
    responses.get(f"{BASE}/api/v1/workflows", body=body)
    ready()
    responses.get(f"{BASE}/api/v1/workflows", body=body)
    responses.get(f"{BASE}/rest/settings", body=body)
    with pytest.raises(ModuleFailed, match=r"is no (API of )?n8n"):
        run_module("n8n_owner", options)


@ordered
@pytest.mark.parametrize("check", [True, False])
def test_an_n8n_that_takes_no_connection_yet_is_waited_for(
    options: dict[str, Any], check: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, "POLL_SECONDS", 0.0)
    responses.get(f"{BASE}/healthz/readiness", body=requests.ConnectionError("refused"))
    responses.get(f"{BASE}/healthz/readiness", status=503, json={"status": "error"})
    ready()
    settings(fresh=False)
    with pytest.raises(ModuleFailed) if not check else contextlib.nullcontext():
        run_module("n8n_owner", {**options, "wait_timeout": 30}, check=check)


def test_an_address_without_scheme_is_told(options: dict[str, Any]) -> None:
    with pytest.raises(ModuleFailed, match="url: 'localhost:5678' is no address of an n8n; write http://"):
        run_module("n8n_owner", {**options, "url": "localhost:5678"})


@pytest.mark.parametrize(
    ("current", "verbs"),
    [
        ({"owner": "missing", "api_key": "missing"}, ["set_up", "make_key"]),
        ({"owner": "set up", "api_key": "missing"}, ["make_key"]),
        ({"owner": "set up", "api_key": "refused"}, ["make_key"]),
        ({"owner": "set up", "api_key": "works"}, []),
    ],
)
def test_the_decision(current: dict[str, str], verbs: list[str]) -> None:
    plan = owner.decide(current, "e@x.y", "ansible", "/key")
    assert [operation.verb for operation in plan.operations] == verbs

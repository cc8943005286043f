from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any, Callable, Optional

import pytest
import responses
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.credentials import (
    fingerprint,
    public_values,
)
from responses.matchers import header_matcher, json_params_matcher, query_param_matcher
from responses.registries import OrderedRegistry

from tests.support.run_module import ModuleFailed, run_module

BASE = "http://n8n.test:5678"
API = f"{BASE}/api/v1/credentials"
DATA = {"host": "postgres", "port": 5432, "database": "n8n", "user": "n8n", "password": "canary-secret"}
SALT = "00" * 16


def live(name: str = "pg1", updated: str = "t1", credential_id: str = "c1", kind: str = "postgres") -> dict[str, str]:
    return {"id": credential_id, "name": name, "type": kind, "createdAt": "t0", "updatedAt": updated}


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    return {
        "url": BASE,
        "api_key": "canary-key",
        "state_file": str(tmp_path / "credentials.json"),
        "credentials": [{"name": "pg1", "type": "postgres", "data": DATA}],
    }


@pytest.fixture
def remember(options: dict[str, Any]) -> Callable[..., None]:
    def write(updated: str = "t1", credential_id: str = "c1", data: Optional[dict[str, Any]] = None) -> None:
        entry = {"id": credential_id, "updatedAt": updated, "fingerprint": fingerprint(SALT, "postgres", data or DATA)}
        content = {"salt": SALT, "credentials": {"pg1": entry}}
        Path(options["state_file"]).write_text(json.dumps(content), encoding="utf-8")

    return write


def listing(*items: dict[str, str], cursor: Optional[str] = None, after: Optional[str] = None) -> None:
    query = {"limit": "250", **({"cursor": after} if after else {})}
    responses.get(
        API,
        json={"data": list(items), "nextCursor": cursor},
        match=[query_param_matcher(query), header_matcher({"X-N8N-API-KEY": "canary-key"})],
    )


def ordered(test: Any) -> Any:
    return responses.activate(registry=OrderedRegistry, assert_all_requests_are_fired=True)(test)


@ordered
def test_create_remembers_and_never_shows_the_data(options: dict[str, Any]) -> None:
    listing(live("other", credential_id="c9"), cursor="p2")
    listing(after="p2")
    body = {"name": "pg1", "type": "postgres", "data": DATA}
    responses.post(API, json=live(), match=[json_params_matcher(body)])
    for _look in ("for another of its name", "at the end"):
        listing(live("other", credential_id="c9"), live())
    result = run_module("n8n_credential", options)
    assert result["actions"] == ["create credential 'pg1' of type postgres"]
    assert result["diff"] == {"before": {}, "after": {"pg1": {"type": "postgres", "data": "as declared"}}}
    assert result["credentials"] == {"pg1": "c1"}
    assert "canary" not in json.dumps(result)
    state = Path(options["state_file"])
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert "canary" not in state.read_text(encoding="utf-8")


@ordered
def test_what_is_as_remembered_costs_one_listing(options: dict[str, Any], remember: Callable[..., None]) -> None:
    remember()
    listing(live())
    result = run_module("n8n_credential", options)
    assert result["changed"] is False
    assert result["diff"]["before"] == result["diff"]["after"]


@ordered
@pytest.mark.parametrize(
    ("memory", "seen", "words"),
    [
        ({"updated": "t0"}, live(), "its data are edited in n8n"),
        ({"data": {**DATA, "password": "old"}}, live(), "its data are not what is declared now"),
        ({"credential_id": "c0"}, live(), "its data are unknown"),
        (None, live(), "its data are unknown"),
        (None, live(kind="httpHeaderAuth"), "type httpHeaderAuth becomes postgres, its data are unknown"),
    ],
)
def test_every_other_case_is_written_once(
    options: dict[str, Any], remember: Callable[..., None], memory: Any, seen: dict[str, str], words: str
) -> None:
    if memory is not None:
        remember(**memory)
    listing(seen)
    body = {"name": "pg1", "type": "postgres", "data": DATA}
    responses.patch(f"{API}/c1", json=live(updated="t2"), match=[json_params_matcher(body)])
    listing(live(updated="t2"))
    listing(live(updated="t2"))
    assert run_module("n8n_credential", options)["actions"] == [f"update credential 'pg1': {words}"]
    assert run_module("n8n_credential", options)["changed"] is False


@ordered
def test_rotate_writes_what_is_as_declared_once_more(options: dict[str, Any], remember: Callable[..., None]) -> None:
    remember()
    listing(live())
    listing(live())
    responses.patch(f"{API}/c1", json=live(updated="t2"))
    listing(live(updated="t2"))
    predicted = run_module("n8n_credential", {**options, "rotate": True}, check=True)
    real = run_module("n8n_credential", {**options, "rotate": True})
    assert real["actions"] == ["update credential 'pg1': its data are to be written once more"]
    assert real["diff"] == predicted["diff"]


@ordered
def test_a_renamed_credential_gets_its_name_back(options: dict[str, Any], remember: Callable[..., None]) -> None:
    remember()
    listing(live("renamed", updated="t2"))
    responses.patch(
        f"{API}/c1",
        json=live(updated="t3"),
        match=[json_params_matcher({"name": "pg1", "type": "postgres", "data": DATA})],
    )
    listing(live(updated="t3"))
    listing(live(updated="t3"))
    result = run_module("n8n_credential", options)
    assert result["actions"] == ["update credential 'pg1': its data are edited in n8n, it was renamed to 'renamed'"]
    assert result["diff"]["before"]["pg1"]["name"] == "renamed"
    assert result["diff"]["after"]["pg1"]["name"] == "pg1"
    assert run_module("n8n_credential", options)["changed"] is False


def test_rotate_does_not_go_with_absent(options: dict[str, Any]) -> None:
    with pytest.raises(ModuleFailed, match="rotate goes with state=present"):
        run_module("n8n_credential", {**options, "rotate": True, "state": "absent"})


@ordered
def test_absent_deletes_by_name_and_forgets(options: dict[str, Any], remember: Callable[..., None]) -> None:
    remember()
    listing(live())
    responses.delete(f"{API}/c1", json={})
    listing()
    listing()
    gone = {**options, "credentials": [{"name": "pg1"}], "state": "absent"}
    assert run_module("n8n_credential", gone)["actions"] == ["delete credential 'pg1'"]
    assert json.loads(Path(options["state_file"]).read_text(encoding="utf-8"))["credentials"] == {}
    assert run_module("n8n_credential", gone)["changed"] is False


@ordered
def test_one_credential_may_be_given_by_name(options: dict[str, Any]) -> None:
    listing()
    one = {key: value for key, value in options.items() if key != "credentials"}
    result = run_module("n8n_credential", {**one, "name": "pg1", "type": "postgres", "data": DATA}, check=True)
    assert result["actions"] == ["create credential 'pg1' of type postgres"]


@ordered
def test_two_of_one_name_are_an_error(options: dict[str, Any]) -> None:
    listing(live(), live(credential_id="c2"))
    with pytest.raises(ModuleFailed, match=r"more than one credential named 'pg1' \(ids c1 and c2\)"):
        run_module("n8n_credential", options)


@ordered
@pytest.mark.parametrize(
    ("status", "message", "sentence"),
    [
        (401, "Unauthorized", "does not accept api_key; make one in n8n under Settings > n8n API"),
        (
            403,
            "Forbidden",
            "api_key may not GET /api/v1/credentials, for it lacks the scope credential:list; make a key",
        ),
        (500, "boom", "GET /api/v1/credentials answered 500: boom"),
    ],
)
def test_a_wrong_key_is_one_sentence(options: dict[str, Any], status: int, message: str, sentence: str) -> None:
    responses.get(API, status=status, json={"message": message})
    with pytest.raises(ModuleFailed, match=sentence) as failed:
        run_module("n8n_credential", options)
    assert "canary" not in json.dumps(failed.value.result)


@pytest.mark.parametrize(
    ("credentials", "sentence"),
    [
        ([{"name": "pg1", "type": "postgres"}], "'pg1' has no data; it is needed for state=present"),
        ([{"name": "pg1", "data": DATA}], "'pg1' has no type"),
        ([{"name": "", "type": "t", "data": DATA}], "empty name"),
        ([{"name": "ab", "type": "t", "data": DATA}], "'ab' has a name of 2 characters, and n8n takes 3 to 128; give"),
        ([{"name": "a" * 129, "type": "t", "data": DATA}], "has a name of 129 characters"),
        ([{"name": "pg1", "type": "postgres", "data": DATA}] * 2, "'pg1' is declared 2 times"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_asked(options: Any, credentials: Any, sentence: str) -> None:
    with pytest.raises(ModuleFailed, match=sentence):
        run_module("n8n_credential", {**options, "credentials": credentials})


@ordered
def test_short_values_are_left_blank_and_shred_no_message(options: dict[str, Any]) -> None:
    responses.get(API, status=400, json={"message": "a bad one"})
    data = {"value": "a", "domains": "all", "nested": [{"n": 7}], "long": "canary", "host": "db"}
    given = {**options, "credentials": [{"name": "pg1", "type": "httpHeaderAuth", "data": data}]}
    with pytest.raises(ModuleFailed, match=r"^GET /api/v1/credentials answered 400: a bad one$") as failed:
        run_module("n8n_credential", given)
    (told,) = failed.value.result["invocation"]["module_args"]["credentials"]
    assert told["data"]["host"] == "db"
    assert {told["data"]["value"], told["data"]["domains"], told["data"]["nested"][0]["n"]} == {"***"}
    assert "canary" not in told["data"]["long"]


def test_a_broken_state_file_is_told(options: dict[str, Any]) -> None:
    Path(options["state_file"]).write_text("{", encoding="utf-8")
    with pytest.raises(ModuleFailed, match=r"state_file: .* cannot be read .*; remove it"):
        run_module("n8n_credential", options)


@ordered
def test_check_mode_without_a_key_takes_n8n_for_empty(options: dict[str, Any], tmp_path: Path) -> None:
    no_key = {**options, "api_key": None, "api_key_file": str(tmp_path / "none")}
    result = run_module("n8n_credential", no_key, check=True)
    assert result["actions"] == ["create credential 'pg1' of type postgres"]
    assert "is not there yet; n8n is taken to be empty" in str(result["warnings"])
    with pytest.raises(ModuleFailed, match=r"api_key_file: .* is not there; let the module n8n_owner make it"):
        run_module("n8n_credential", no_key)


def test_a_public_value_that_is_also_a_secret_stays_hidden() -> None:
    shown = public_values([{"host": "db", "user": "n8n", "password": "n8n", "nested": {"key": ["x"]}, "port": 1}])
    assert shown == {"db", "1"}

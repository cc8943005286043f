from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.contract.n8n import Rig, postgres_credential
from tests.support.law import Law
from tests.support.run_module import ModuleFailed, run_module

NAME = "law-header"


def header(value: str) -> dict[str, Any]:
    return {"name": NAME, "type": "httpHeaderAuth", "data": {"name": "X-Law", "value": value}}


def credential(n8n: Rig, name: str) -> dict[str, Any]:
    return next(item for item in n8n.api("GET", "/credentials?limit=250")["data"] if item["name"] == name)


def test_the_law(n8n: Rig) -> None:
    def drift() -> None:
        body = {"data": {"name": "X-Other", "value": "edited by hand"}}
        n8n.api("PATCH", f"/credentials/{credential(n8n, NAME)['id']}", json=body)

    Law(
        module="n8n_credential",
        create={**n8n.credential, "credentials": [header("canary-one"), postgres_credential("law-pg")]},
        update={**n8n.credential, "credentials": [header("canary-two"), postgres_credential("law-pg")]},
        delete={**n8n.credential, "credentials": [{"name": NAME}, {"name": "law-pg"}], "state": "absent"},
        independent_read=lambda: n8n.sql(
            "SELECT id, name, type, data, \"updatedAt\" FROM credentials_entity WHERE name LIKE 'law-%' ORDER BY name"
        ),
        drift=drift,
        drift_words="edited in n8n",
    ).hold()


def test_what_was_put_there_works(n8n: Rig) -> None:
    one = {**n8n.credential, **postgres_credential("tried")}
    run_module("n8n_credential", one)
    assert n8n.api("POST", f"/credentials/{credential(n8n, 'tried')['id']}/test")["status"] == "OK"
    run_module("n8n_credential", {**n8n.credential, "name": "tried", "state": "absent"})


def test_a_lost_state_file_writes_once_more(n8n: Rig, tmp_path: Path) -> None:
    params = {**n8n.connection, "state_file": str(tmp_path / "state.json"), "credentials": [header("canary-one")]}
    run_module("n8n_credential", params)
    (tmp_path / "state.json").unlink()
    assert run_module("n8n_credential", params)["actions"] == [f"update credential '{NAME}': its data are unknown"]
    assert run_module("n8n_credential", params)["changed"] is False
    run_module("n8n_credential", {**params, "credentials": [{"name": NAME}], "state": "absent"})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"type": "noSuchType"}, "answered 400: .*not a known type"),
        ({"data": {"bogus": "canary-x"}}, "answered 400: .*bogus"),
    ],
)
def test_what_n8n_refuses_is_told_in_its_words(n8n: Rig, change: Any, sentence: str) -> None:
    with pytest.raises(ModuleFailed, match=sentence) as failed:
        run_module("n8n_credential", {**n8n.credential, "credentials": [{**header("canary-one"), **change}]})
    assert "canary" not in str(failed.value.result)


def test_a_name_that_n8n_does_not_take_is_told_before_anything_is_sent(n8n: Rig) -> None:
    known = run_module("n8n_credential", {**n8n.credential, **header("canary-one")})["credentials"][NAME]
    with pytest.raises(AssertionError, match="must be 3 to 128 characters long"):
        n8n.api("PATCH", f"/credentials/{known}", json={**header("canary-one"), "name": "ab"})
    for check in (True, False):
        with pytest.raises(ModuleFailed, match="'ab' has a name of 2 characters, and n8n takes 3 to 128"):
            run_module("n8n_credential", {**n8n.credential, **header("canary-one"), "name": "ab"}, check=check)
    run_module("n8n_credential", {**n8n.credential, "name": NAME, "state": "absent"})


def test_a_wrong_key_is_one_sentence(n8n: Rig) -> None:
    params = {"url": n8n.url, "api_key": "canary-wrong", "state_file": n8n.credential["state_file"], **header("x")}
    with pytest.raises(ModuleFailed, match="does not accept api_key; make one in n8n"):
        run_module("n8n_credential", params)

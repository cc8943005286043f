from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import responses

from tests.support.run_module import ModuleFailed, run_module

BASE = "http://n8n.test:5678"
API = f"{BASE}/api/v1/credentials"
KEYED = {"url": BASE, "api_key": "canary-key"}


def credential(name: str, kind: str) -> dict[str, Any]:
    return {"id": f"id-{name}", "name": name, "type": kind, "createdAt": "t0", "updatedAt": "t1", "shared": []}


@responses.activate
@pytest.mark.parametrize(
    ("asked", "names"),
    [({}, ["a", "b"]), ({"names": ["b"]}, ["b"]), ({"type": "postgres"}, ["a"]), ({"names": []}, [])],
)
def test_credentials_are_told_by_name_and_type(asked: dict[str, Any], names: list[str]) -> None:
    listed = [credential("b", "httpHeaderAuth"), credential("a", "postgres")]
    responses.get(API, json={"data": listed, "nextCursor": None})
    found = run_module("n8n_credential_info", {**KEYED, **asked})
    assert found["changed"] is False
    assert [item["name"] for item in found["credentials"]] == names
    assert all(set(item) == {"id", "name", "type", "created_at", "updated_at"} for item in found["credentials"])


@responses.activate
def test_a_wrong_key_is_one_sentence() -> None:
    responses.get(API, status=401, json={"message": "Unauthorized"})
    with pytest.raises(ModuleFailed, match="does not accept api_key") as failed:
        run_module("n8n_credential_info", KEYED)
    assert "canary" not in json.dumps(failed.value.result)


def test_check_mode_without_a_key_tells_of_an_empty_n8n(tmp_path: Path) -> None:
    found = run_module("n8n_credential_info", {"url": BASE, "api_key_file": str(tmp_path / "none")}, check=True)
    assert found["credentials"] == []
    assert "is not there yet" in str(found["warnings"])

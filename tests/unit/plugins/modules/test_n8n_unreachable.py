"""An n8n that nobody reaches is told in check mode too, unless the play itself would bring it up."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.flows import called
from tests.support.run_module import ModuleFailed, run_module

CREDENTIAL = {"name": "pg1", "type": "postgres", "data": {"password": "canary"}}
MODULES: dict[str, tuple[dict[str, Any], int]] = {
    "n8n_owner": ({"email": "david@example.com", "password": "Canary-1-owner", "wait_timeout": 0}, 2),
    "n8n_credential": (CREDENTIAL, 1),
    "n8n_workflow": ({"definition": called("w"), "state": "published"}, 2),
    "n8n_workflow_info": ({}, 0),
    "n8n_credential_info": ({}, 0),
    "n8n_execution_info": ({}, 0),
}


@pytest.fixture
def options(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    key = tmp_path / "key"
    key.write_text("key", encoding="utf-8")
    state = (
        {"state_file": str(tmp_path / "state.json")} if request.node.callspec.params["module"].endswith("al") else {}
    )
    return {"api_key_file": str(key), "request_timeout": 0.2, **state}


@pytest.fixture
def nobody() -> Iterator[str]:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{closed.getsockname()[1]}"


@pytest.fixture
def stalled() -> Iterator[str]:
    """It takes every connection, as the kernel does for a process that is stopped."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("assume", [True, False])
def test_a_stalled_n8n_is_told(module: str, assume: bool, options: dict[str, Any], stalled: str) -> None:
    given = {**options, **MODULES[module][0], "url": stalled, "assume_empty_if_unreachable": assume}
    with pytest.raises(
        ModuleFailed, match=r"got no answer: .*timed out.*; look at n8n's log, or raise request_timeout"
    ) as failed:
        run_module(module, given, check=True)
    assert failed.value.result["reachable"] is False


@pytest.mark.parametrize("module", MODULES)
def test_an_n8n_that_is_not_there_is_told_unless_it_may_be_unborn(
    module: str, options: dict[str, Any], nobody: str
) -> None:
    given = {**options, **MODULES[module][0], "url": nobody}
    with pytest.raises(ModuleFailed, match=r"got no answer: .*Connection refused; start n8n, or correct url"):
        run_module(module, given, check=True)
    predicted = run_module(module, {**given, "assume_empty_if_unreachable": True}, check=True)
    assert len(predicted.get("actions", ())) == MODULES[module][1]
    assert predicted.get("reachable") is (False if module == "n8n_workflow" else None)
    told = "n8n is taken to be empty" in str(predicted["warnings"])
    assert told is (module != "n8n_owner")


@pytest.mark.parametrize("module", ["n8n_workflow_info", "n8n_owner"])
def test_a_run_takes_nothing_for_empty(
    module: str, options: dict[str, Any], nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    given = {**options, **MODULES[module][0], "url": nobody, "assume_empty_if_unreachable": True}
    with pytest.raises(ModuleFailed, match="Connection refused"):
        run_module(module, given)

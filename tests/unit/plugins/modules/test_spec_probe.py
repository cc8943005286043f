from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule

from tests.support.run_module import ModuleFailed, run_module


def test_an_unreachable_engine_is_an_answer_not_a_failure(tmp_path: Path) -> None:
    result = run_module(
        "spec_probe",
        {
            "docker_socket": str(tmp_path / "docker.sock"),
            "probes": [{"inspect": {"container": "valkey"}}, {"exec": {"container": "valkey", "argv": ["x"]}}],
        },
    )
    assert not result["changed"]
    assert all(answer["error"].startswith("the Docker engine does not answer") for answer in result["results"])


def test_a_password_shows_nowhere(tmp_path: Path) -> None:
    login = {"host": str(tmp_path), "user": "canary-user", "password": "canary-secret", "dbname": "d"}
    headers = {"X-N8N-API-KEY": "canary-key"}
    result = run_module(
        "spec_probe",
        {
            "probes": [
                {"sql": {"login": login, "query": "SELECT 'canary-secret'"}},
                {"http": {"url": "http://127.0.0.1:1/canary-key", "headers": headers}},
            ]
        },
    )
    assert len(result["results"]) == 2
    assert "canary-secret" not in json.dumps(result) and "canary-key" not in json.dumps(result)


@pytest.mark.parametrize("probe", [{}, {"tcp": {"port": 1}, "listen": {"port": 1}}])
def test_a_probe_is_exactly_one_kind(probe: dict[str, object]) -> None:
    with pytest.raises(ModuleFailed):
        run_module("spec_probe", {"probes": [probe]})


def test_headers_are_not_logged_on_the_host_and_plain_ones_are_not_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr(AnsibleModule, "log", lambda _self, msg, **_more: logged.append(msg))
    headers = {"api-key": "canary-key", "Host": "127.0.0.1"}
    result = run_module("spec_probe", {"probes": [{"http": {"url": "http://127.0.0.1:1/", "headers": headers}}]})
    assert logged and "canary-key" not in str(logged)
    assert "127.0.0.1" in result["results"][0]["error"]

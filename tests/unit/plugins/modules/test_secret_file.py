from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils import _secrets

from tests.support.run_module import ModuleFailed, run_module


def run(path: Path, secrets: Any, check: bool = False, **params: Any) -> dict[str, Any]:
    given = {"path": str(path), "secrets": secrets, "_ansible_no_log": True, **params}
    return run_module("secret_file", given, check=check)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "services" / "secrets.json"


def test_the_law(path: Path) -> None:
    predicted = run(path, ["a", "b"], check=True)
    assert not path.parent.exists()
    assert predicted["secrets"] == {"a": "made-by-the-next-run", "b": "made-by-the-next-run"}

    made = run(path, ["a", "b"])
    assert made["changed"] and made["generated"] == ["a", "b"]
    assert (made["diff"], made["actions"]) == (predicted["diff"], predicted["actions"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == made["secrets"]

    before = path.stat().st_mtime_ns
    again = run(path, ["a", "b"])
    assert not again["changed"] and again["generated"] == [] and again["secrets"] == made["secrets"]
    assert path.stat().st_mtime_ns == before

    more = run(path, ["a", "b", {"name": "c", "length": 48}])
    assert more["generated"] == ["c"] and len(more["secrets"]["c"]) == 48
    assert {key: more["secrets"][key] for key in "ab"} == made["secrets"]


def test_a_given_value_wins_over_generating_and_is_refused_over_changing(path: Path) -> None:
    first = run(path, ["a"], values={"a": "canary-1", "b": ""})
    assert first["secrets"] == {"a": "canary-1"} and first["generated"] == []
    assert first["actions"] == [f"take over a in {path}"]
    with pytest.raises(ModuleFailed, match="differs from the one in use"):
        run(path, ["a"], values={"a": "canary-2"})
    assert json.loads(path.read_text()) == {"a": "canary-1"}
    rotated = run(path, ["a"], values={"a": "canary-2"}, rotate=["a"])
    assert rotated["actions"] == [f"change a in {path}"]
    assert rotated["diff"]["after"]["secrets"] == {"a": "set anew"}
    assert json.loads(path.read_text()) == {"a": "canary-2"}
    assert not run(path, ["a"], values={"a": "canary-2"}, rotate=["a"])["changed"]


def test_without_secrets_no_file_is_made(path: Path) -> None:
    seen = run(path, [])
    assert not seen["changed"] and seen["secrets"] == {}
    assert not path.parent.exists()


@pytest.mark.parametrize("theirs", [{"a": "theirs-a"}, {"a": "theirs-a", "b": "theirs-b"}])
def test_of_two_first_runs_at_once_the_later_takes_what_the_earlier_made(
    path: Path, monkeypatch: pytest.MonkeyPatch, theirs: dict[str, str]
) -> None:
    def overtaken(_length: int) -> str:
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(theirs))
        path.chmod(0o600)
        return "ours"

    monkeypatch.setattr(_secrets, "random_text", overtaken)
    result = run(path, ["a", "b"])
    assert result["secrets"] == {"a": "theirs-a", "b": theirs.get("b", "ours")}
    assert result["generated"] == [name for name in ("a", "b") if name not in theirs]
    assert json.loads(path.read_text()) == result["secrets"]
    assert list(path.parent.iterdir()) == [path]


def test_a_mode_that_somebody_opened_is_closed(path: Path) -> None:
    run(path, ["a"])
    path.chmod(0o644)
    closed = run(path, ["a"])
    assert closed["actions"] == [f"set mode 0600 in {path}"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_diff_and_words_carry_names_only(path: Path) -> None:
    result = run(path, ["a"], values={"b": "canary-1"})
    assert result["secrets"]["a"] not in json.dumps(result["diff"]) + json.dumps(result["actions"])
    assert "canary" not in json.dumps(result["diff"]) + json.dumps(result["actions"])


@pytest.mark.parametrize("text", ["", "not json", "[]", '{"a": 1}'])
def test_a_damaged_file_is_not_overwritten(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(ModuleFailed, match="is not a JSON mapping"):
        run(path, ["a"])
    assert path.read_text() == text


def test_without_no_log_it_refuses(path: Path) -> None:
    with pytest.raises(ModuleFailed, match="put no_log: true on its task"):
        run_module("secret_file", {"path": str(path), "secrets": ["a"]})
    assert not path.exists()


def test_a_forgotten_no_log_shows_no_value_in_the_result_or_the_hosts_log(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(AnsibleModule, "log", lambda _self, msg, **_more: logged.append(msg))
    with pytest.raises(ModuleFailed) as failed:
        run_module("secret_file", {"path": str(path), "secrets": ["a"], "values": {"a": "canary-1"}})
    assert logged and "canary" not in str(logged) + json.dumps(failed.value.result)

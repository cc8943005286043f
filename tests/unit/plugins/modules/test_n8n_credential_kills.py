"""A run that is killed anywhere, and a plain run after it, leave each credential once and as it is declared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n import credentials

from tests.support.n8n_double import BASE, Killed, N8nDouble
from tests.support.run_module import run_module

pytestmark = pytest.mark.usefixtures("cheap_fingerprints")


def run(double: N8nDouble, folder: Path, *items: dict[str, Any], **over: Any) -> dict[str, Any]:
    params = {"url": BASE, "api_key": "key", "state_file": str(folder / "state.json"), "credentials": list(items)}
    with double.serving():
        return run_module("n8n_credential", {**params, **over})


def one(name: str, password: str) -> dict[str, Any]:
    return {"name": name, "type": "postgres", "data": {"password": password}}


def held(double: N8nDouble) -> list[tuple[str, Any]]:
    return sorted((item["name"], item["data"]) for item in double.credentials)


GONE = {"state": "absent"}


@pytest.mark.parametrize("answered", [True, False], ids=["answered", "unanswered"])
@pytest.mark.parametrize("write", [0, 1, 2])
@pytest.mark.parametrize("over", [{}, GONE], ids=["present", "absent"])
def test_a_killed_run_is_finished_by_the_next(over: dict[str, Any], write: int, answered: bool, tmp_path: Path) -> None:
    """One is new, one has a new password, one was renamed in n8n; or they are all to go."""
    double = N8nDouble()
    run(double, tmp_path, one("bbb", "old"), one("ccc", "same"), *([one("aaa", "old")] if over else []))
    if not over:
        next(item for item in double.credentials if item["name"] == "ccc")["name"] = "renamed"
    wanted = [one("aaa", "new"), one("bbb", "new"), one("ccc", "same")]
    double.kill_at(write, answered=answered)
    with pytest.raises(Killed):
        run(double, tmp_path, *wanted, **over)
    run(double, tmp_path, *wanted, **over)
    assert held(double) == ([] if over else [(item["name"], item["data"]) for item in wanted])
    double.writes = []
    assert run(double, tmp_path, *wanted, **over)["changed"] is False
    assert double.writes == []


def test_who_makes_the_second_one_takes_it_away_and_goes_on_with_the_first(tmp_path: Path) -> None:
    double = N8nDouble()
    double.hands = [lambda: double._credential("POST", [], one("aaa", "theirs"))]
    done = run(double, tmp_path, one("aaa", "mine"))
    assert done["actions"] == ["update credential 'aaa': its data are unknown"]
    assert held(double) == [("aaa", {"password": "mine"})]
    assert run(double, tmp_path, one("aaa", "mine"))["changed"] is False


def test_a_second_one_that_is_about_to_go_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "POLL_SECONDS", 0.0)
    double = N8nDouble()
    theirs = []
    double.hands = [
        lambda: None,
        lambda: theirs.append(double._credential("POST", [], one("aaa", "theirs"))),
        lambda: double.credentials.remove(theirs[0]),
    ]
    assert run(double, tmp_path, one("aaa", "mine"))["actions"] == ["create credential 'aaa' of type postgres"]
    assert held(double) == [("aaa", {"password": "mine"})]

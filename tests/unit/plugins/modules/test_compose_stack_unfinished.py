# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What compose_stack says and does after a run that failed or was killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.engine import Answer

from tests.support.compose import DEFINITION, Run
from tests.support.fake_docker import FakeDocker
from tests.support.run_module import ModuleFailed

BAD = DEFINITION.replace("200m", "100m")


@contextmanager
def refusing(docker: FakeDocker, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setattr(docker, "_up", lambda *_args: Answer(1, "", "Error response from daemon: not like this"))
        yield


def failed(run: Run, *args: Any, **options: Any) -> dict[str, Any]:
    with pytest.raises(ModuleFailed) as caught:
        run(*args, **options)
    return caught.value.result


def test_a_file_of_a_run_that_failed_was_not_edited_by_hand(
    docker: FakeDocker, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run()
    with refusing(docker, monkeypatch):
        told = failed(run, BAD)
    assert told["changed"] is True
    assert told["actions_done"] == ["web: update docker-compose.yml"]
    assert run(check=True)["actions"] == ["web: update docker-compose.yml"]
    assert run(BAD, check=True)["actions"][0].startswith("web: recreate (its definition changed; ")
    (tmp_path / "srv/web/docker-compose.yml").write_text("services: {}\n")
    assert run()["actions"] == ["web: mend docker-compose.yml (edited by hand)"]
    assert run()["changed"] is False
    assert "writing" not in json.loads((tmp_path / "srv/web/.compose_stack.json").read_text())


def test_what_a_killed_run_wrote_was_not_edited_by_hand(
    docker: FakeDocker, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()

    def killed(*_args: Any) -> Answer:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(docker, "_up", killed)
        with pytest.raises(RuntimeError):
            run(BAD, project={"env": {"USER": "other"}})
    assert run(check=True)["actions"] == ["web: update docker-compose.yml", "web: update web.env"]
    assert run()["changed"] is True
    assert run()["changed"] is False


@pytest.mark.parametrize("state", ["created", "running"])
def test_a_first_run_that_failed_is_ours_and_can_be_put_right_or_taken_away(
    docker: FakeDocker, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: str
) -> None:
    with refusing(docker, monkeypatch):
        assert failed(run, BAD, project={"files": [{"path": "a", "content": "1"}]})["changed"] is True
    docker.add("web", "web", "web", status=state)
    seen = run(check=True)["actions"]
    assert seen[:2] == ["web: update docker-compose.yml", "web: remove a"] and seen[2].startswith("web: recreate")
    assert "web: remove container web" in run(state="absent", check=True)["actions"]
    run()
    assert run()["changed"] is False
    assert not (tmp_path / "srv/web/a").exists()


def test_a_file_that_was_written_while_all_stood_still_is_ours_too(run: Run) -> None:
    run()
    assert run(BAD, state="stopped")["actions"] == ["web: update docker-compose.yml", "web: stop web"]
    assert run(check=True, state="stopped")["actions"] == ["web: update docker-compose.yml"]

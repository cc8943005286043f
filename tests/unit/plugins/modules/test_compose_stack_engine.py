# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""compose_stack with an engine that is slow, silent or somebody else's."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose import engine
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.engine import Answer
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError

from tests.support.compose import DEFINITION, Run, fails
from tests.support.fake_docker import FakeDocker


@pytest.mark.parametrize("kind", ["container", "image", "network"])
def test_an_engine_that_stops_answering_is_not_one_where_nothing_is(
    docker: FakeDocker, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    run()
    silent = Answer(124, "", "no answer within 60 s")
    monkeypatch.setattr(docker, f"_{kind}", lambda _args: silent)
    assert f"did not answer to docker {kind} inspect: no answer within 60 s" in fails(run)
    assert docker.writes == []


def test_what_docker_says_of_missing_things_and_warnings_are_answers(
    docker: FakeDocker, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "WARNING: Error loading config file\nError response from daemon: network web_default not found\n"
    monkeypatch.setattr(docker, "_network", lambda _args: Answer(1, "", said))
    assert run(check=True)["actions"][-1] == "web: create"
    reference = Answer(1, "", "Error response from daemon: invalid reference format\n")
    monkeypatch.setattr(docker, "_image", lambda _args: reference)
    assert run(DEFINITION.replace("img:1", "img:${TAG}"), check=True)["actions"][-1] == "web: create"


def test_commands_run_away_from_a_compose_file_of_somebody_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMPOSE_FILE", str(tmp_path / "docker-compose.yml"))
    assert engine.run_command(["sh", "-c", "pwd; echo ${COMPOSE_FILE-none}"]).out == "/\nnone\n"


def test_a_backup_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="boom"):
        engine.stream_to_tar(["sh", "-c", "echo part; echo boom >&2; exit 1"], tmp_path / "v.tar")
    assert list(tmp_path.iterdir()) == []


def test_a_backup_that_hangs_is_ended(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"was not complete within 0.1 s; back the volume up by hand"):
        engine.stream_to_tar(["sleep", "9"], tmp_path / "v.tar", timeout=0.1)
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_hangs_is_ended_even_where_a_child_of_it_lives_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "GRACE_SECONDS", 0.1)
    started = time.monotonic()
    answer = engine.run_command(["sh", "-c", "sleep 300 & exec sleep 300"], timeout=0.1)
    assert (answer.rc, answer.err) == (124, "no answer within 0.1 s")
    assert time.monotonic() - started < 100


@pytest.mark.parametrize(
    ("verb", "state", "sentence"),
    [
        ("config", "present", "docker compose config of project 'web' did not end within 60 s and was stopped; see"),
        ("up", "present", "docker compose up of project 'web' did not end within 1930 s and was stopped; see"),
        ("stop", "stopped", "stopping web did not end within 130 s and was stopped; see"),
        ("down", "absent", "removing web did not end within 130 s and was stopped; see"),
    ],
)
def test_a_compose_that_hangs_is_told_with_the_way_out(
    docker: FakeDocker, run: Run, verb: str, state: str, sentence: str
) -> None:
    run()
    docker.hangs = verb
    definition = DEFINITION if state != "present" else DEFINITION.replace("200m", "100m")
    told = fails(run, definition, state=state, wait_timeout=10)
    assert sentence in told and "longer wait_timeout" in told


def test_a_look_at_what_compose_would_do_that_hangs_makes_nothing_anew(
    docker: FakeDocker, run: Run, tmp_path: Path
) -> None:
    run()
    (tmp_path / "srv/web/.compose_stack.json").unlink()
    docker.hangs = "--dry-run"
    assert "docker compose up of project 'web' did not end within 60 s" in fails(run)
    assert docker.writes == []


def test_no_command_may_take_for_ever(
    docker: FakeDocker, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(docker, "_create", lambda _args: Answer(0, "helper\n", ""), raising=False)
    monkeypatch.setattr(engine.Engine, "copy_out", lambda *_args: None)
    run()
    docker.containers["web"]["State"]["Status"] = "paused"
    docker.add("old", "web", "gone")
    run()
    run(state="stopped")
    docker.volumes["web_data"] = "web"
    run(state="absent", remove_volumes=True, confirm_data_loss=["web"], backup_dir=str(tmp_path))
    assert None not in docker.timeouts


def test_a_backup_takes_the_volumes_of_its_helper_away_with_it(
    docker: FakeDocker, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run()
    docker.volumes["web_data"] = "web"
    monkeypatch.setattr(docker, "_create", lambda _args: Answer(0, "helper\n", ""), raising=False)
    monkeypatch.setattr(engine.Engine, "copy_out", lambda *_args: None)
    options = {"remove_volumes": True, "confirm_data_loss": ["web"], "backup_dir": str(tmp_path)}
    assert len(run(state="absent", **options)["backups"]) == 1
    assert ["rm", "-f", "-v", "helper"] in docker.calls and docker.volumes == {}

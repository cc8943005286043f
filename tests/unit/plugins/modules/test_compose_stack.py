# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole module against a docker command line in memory."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose import engine
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.engine import Answer
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError

from tests.support.fake_docker import FakeDocker
from tests.support.run_module import ModuleFailed, run_module

DEFINITION = """\
services:
  web:
    image: img:1
    container_name: web
    mem_limit: 200m
    cpus: 0.5
    restart: unless-stopped
    env_file: [web.env]
"""
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    fake = FakeDocker()
    monkeypatch.setattr(engine.Engine.__init__, "__defaults__", (fake, "docker"))
    return fake


@pytest.fixture
def run(docker: FakeDocker, tmp_path: Path) -> Run:
    def call(
        definition: str = DEFINITION, *, check: bool = False, project: Any = None, more: Any = (), **options: Any
    ) -> dict[str, Any]:
        docker.calls.clear()
        first = {"name": "web", "definition": definition, "env": {"PASSWORD": "top-secret", "USER": "web"}}
        params = {"projects": [{**first, **(project or {})}, *more], "services_dir": str(tmp_path / "srv"), **options}
        return run_module("compose_stack", params, check=check)

    return call


def fails(run: Run, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(ModuleFailed) as failed:
        run(*args, **kwargs)
    return str(failed.value)


def test_check_tells_exactly_what_the_run_does_and_touches_nothing(
    docker: FakeDocker, run: Run, tmp_path: Path
) -> None:
    predicted = run(check=True)
    assert docker.writes == []
    assert not (tmp_path / "srv").exists()
    real = run()
    for key in ("actions", "diff", "changed"):
        assert predicted[key] == real[key]
    assert real["actions"] == ["web: write docker-compose.yml", "web: write web.env", "web: create"]
    assert set(predicted) == set(real)
    assert list(real["projects"]["web"]["containers"]) == ["web"]


def test_nothing_to_do_costs_one_look_and_no_compose(docker: FakeDocker, run: Run) -> None:
    run()
    again = run()
    assert again["changed"] is False
    assert again["diff"]["before"] == again["diff"]["after"]
    assert sorted(call[0] for call in docker.calls) == ["container", "image", "network", "ps"]


def test_a_bare_host_gets_the_whole_plan(
    docker: FakeDocker, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docker.installed = False
    result = run(check=True)
    assert result["actions"][-1] == "web: create"
    assert "role docker installs" in capsys.readouterr().err + str(result.get("warnings"))
    assert "docker is not installed" in fails(run)
    assert not (tmp_path / "srv").exists()


def test_secrets_appear_nowhere_and_plain_words_are_not_masked(docker: FakeDocker, run: Run, tmp_path: Path) -> None:
    result = run()
    assert "top-secret" not in json.dumps(result)
    assert result["actions"][-1] == "web: create"
    assert (tmp_path / "srv/web/web.env").read_text() == "PASSWORD='top-secret'\nUSER='web'\n"
    assert (tmp_path / "srv/web/web.env").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "srv/web/docker-compose.yml").stat().st_mode & 0o777 == 0o644


def test_what_a_secret_file_holds_is_masked_where_a_container_tells_it(docker: FakeDocker, run: Run) -> None:
    docker.sick = {"web"}
    project = {"env": {"USER": "web"}, "files": [{"path": "pw", "content": "top-secret\n", "mode": "0600"}]}
    with pytest.raises(ModuleFailed) as failed:
        run(project=project)
    assert "the last line of" in str(failed.value)
    assert "top-secret" not in json.dumps(failed.value.result)


@pytest.mark.parametrize(("asked", "billionths"), [("0.3", 300000012), ("0.33333", 333330016)])
def test_cpus_that_the_engine_counts_otherwise_are_no_difference(
    docker: FakeDocker, run: Run, asked: str, billionths: int
) -> None:
    definition = DEFINITION.replace("0.5", asked)
    run(definition)
    docker.containers["web"]["HostConfig"]["NanoCpus"] = billionths
    assert run(definition, check=True)["changed"] is False


def test_an_image_that_compose_fills_in_is_not_made_anew_for_ever(run: Run) -> None:
    definition = DEFINITION.replace("img:1", "img:${TAG:-1}")
    run(definition)
    assert run(definition)["changed"] is False


def change(path: str, value: Any) -> Callable[[FakeDocker], None]:
    def apply(docker: FakeDocker) -> None:
        node = docker.containers["web"]
        *parents, last = path.split("/")
        for key in parents:
            node = node[key]
        node[last] = value

    return apply


@pytest.mark.parametrize(
    ("drift", "action"),
    [
        (lambda d: d.containers.clear(), "web: create"),
        (change("State", {"Status": "exited", "ExitCode": 137}), "web: start (container exited with 137)"),
        (
            change("State", {"Status": "exited", "ExitCode": 137, "OOMKilled": True}),
            "web: start (container exited with 137, killed for memory)",
        ),
        (change("State/Status", "created"), "web: start (container was never started)"),
        (change("State/Status", "paused"), "web: unpause (container is paused)"),
        (
            change("State", {"Status": "restarting", "ExitCode": 1}),
            "web: recreate (container is restarting again and again, last exit code 1)",
        ),
        (
            change("State", {"Status": "running", "Health": {"Status": "unhealthy"}}),
            "web: recreate (container is unhealthy)",
        ),
        (change("HostConfig/Memory", 100 * 1024**2), "web: recreate (memory limit is 100m instead of 200m)"),
        (change("HostConfig/Memory", 0), "web: recreate (memory limit is none instead of 200m)"),
        (change("HostConfig/NanoCpus", 1000000000), "web: recreate (CPU limit is 1.0 instead of 0.5)"),
        (
            change("HostConfig/RestartPolicy", {"Name": "on-failure", "MaximumRetryCount": 3}),
            "web: recreate (restart policy is on-failure:3 instead of unless-stopped)",
        ),
        (lambda d: d.images.update({"img:1": "sha256:two"}), "image is img:1 (another build) instead of img:1"),
        (
            lambda d: d.networks.update(web_default="net-other"),
            "web: recreate (network web_default was made anew)",
        ),
        (lambda d: d.networks.pop("web_default"), "web: recreate (network web_default is gone)"),
        (change("NetworkSettings/Networks", {}), "web: recreate (not attached to network web_default)"),
        (
            change("Config/Labels/com.docker.compose.config-hash", "other"),
            "web: recreate (created from another definition)",
        ),
        (lambda d: d.add("old", "web", "gone") and None, "web: remove old (orphan)"),
        (lambda d: d.add("two", "web", "web") and None, "web: remove two (one too many of web)"),
    ],
)
def test_drift_is_named(docker: FakeDocker, run: Run, drift: Callable[[FakeDocker], None], action: str) -> None:
    run()
    drift(docker)
    actions = run(check=True)["actions"]
    assert len(actions) == 1
    assert action in actions[0]
    assert docker.writes == []


@pytest.mark.parametrize(
    "drift",
    [
        lambda d: d.containers.clear(),
        change("State", {"Status": "exited", "ExitCode": 1}),
        change("State/Status", "paused"),
        change("HostConfig/Memory", 1),
        lambda d: d.add("old", "web", "gone") and None,
    ],
)
def test_drift_is_mended_and_stays_mended(docker: FakeDocker, run: Run, drift: Callable[[FakeDocker], None]) -> None:
    run()
    drift(docker)
    assert run()["changed"] is True
    assert run()["changed"] is False


def test_only_the_project_that_differs_is_touched(docker: FakeDocker, run: Run) -> None:
    other = {"name": "other", "definition": "services: {app: {image: 'img:1', container_name: app}}"}
    run(more=[other])
    docker.containers["app"]["State"].update(Status="exited", ExitCode=1)
    assert run(more=[other])["actions"] == ["other: start app (container exited with 1)"]
    assert {call[2] for call in docker.writes} == {"other"}


def test_a_change_of_the_environment_makes_the_container_anew(docker: FakeDocker, run: Run) -> None:
    run()
    result = run(project={"env": {"PASSWORD": "n3w-secret", "USER": "web"}})
    assert result["actions"] == ["web: update web.env", "web: recreate (its environment changed)"]
    before = result["diff"]["before"]["web"]["files"]["web.env"]["values"]
    assert before == {"PASSWORD": "*** (differs)", "USER": "***"}


def test_a_file_that_the_service_mounts_makes_it_anew_and_another_does_not(docker: FakeDocker, run: Run) -> None:
    text = DEFINITION + "    volumes: ['./conf/a:/a:ro']\n"
    files = [{"path": "conf/a", "content": "1"}, {"path": "readme", "content": "1"}]
    run(text, project={"files": files})
    changed = [{"path": "conf/a", "content": "1"}, {"path": "readme", "content": "2"}]
    assert run(text, project={"files": changed})["actions"] == ["web: update readme"]
    changed = [{"path": "conf/a", "content": "2"}]
    assert run(text, project={"files": changed})["actions"] == [
        "web: update conf/a",
        "web: remove readme",
        "web: recreate (its file conf/a changed)",
    ]
    assert run(text, project={"files": changed})["changed"] is False


def test_a_run_killed_after_it_mended_a_mounted_file_is_finished(
    docker: FakeDocker, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = DEFINITION + "    volumes: ['./conf/a:/a:ro']\n"
    project = {"files": [{"path": "conf/a", "content": "1"}]}
    run(text, project=project)
    (tmp_path / "srv/web/conf/a").write_text("by hand")

    def killed(_args: list[str]) -> Answer:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(docker, "_compose", killed)
        with pytest.raises(RuntimeError):
            run(text, project=project)
    assert (tmp_path / "srv/web/conf/a").read_text() == "1"
    assert run(text, project=project)["actions"] == ["web: recreate (its file conf/a changed)"]
    assert run(text, project=project)["changed"] is False


def test_a_hand_edit_is_mended_without_touching_the_container(docker: FakeDocker, run: Run, tmp_path: Path) -> None:
    run()
    container = docker.containers["web"]["Id"]
    (tmp_path / "srv/web/docker-compose.yml").write_text("services: {}\n")
    result = run()
    assert result["actions"] == ["web: mend docker-compose.yml (edited by hand)"]
    assert docker.containers["web"]["Id"] == container
    assert run()["changed"] is False


def test_a_lost_note_is_written_again_when_compose_finds_nothing_to_do(
    docker: FakeDocker, run: Run, tmp_path: Path
) -> None:
    run()
    (tmp_path / "srv/web/.compose_stack.json").unlink()
    assert run()["actions"] == ["web: note what runs (the note of it was missing)"]
    assert docker.writes == []
    assert run()["changed"] is False


def test_failures_tell_the_last_words_and_the_others_are_finished(docker: FakeDocker, run: Run) -> None:
    docker.sick.add("web")
    later = {"name": "later", "definition": "services: {app: {image: 'img:1'}}", "after": ["web"]}
    other = {"name": "other", "definition": "services: {app: {image: 'img:1'}}"}
    with pytest.raises(ModuleFailed) as failed:
        run(more=[later, other])
    told = str(failed.value)
    assert "project 'web' did not come up: container web is unhealthy" in told
    assert "the health check of web said: no answer, ***" in told
    assert "the last line of ***" in told
    assert "project 'later' was not tried because web failed" in told
    assert "top-secret" not in json.dumps(failed.value.result)
    assert sorted(docker.containers) == ["other-app-1", "web"]
    docker.sick.clear()
    assert run(more=[later, other])["changed"] is True
    assert run(more=[later, other])["changed"] is False


def test_what_compose_refuses_is_never_written(docker: FakeDocker, run: Run, tmp_path: Path) -> None:
    docker.refuses = "services.web Additional property imagee is not allowed"
    told = fails(run)
    assert told == (
        "docker compose refuses the definition of project 'web': services.web Additional property imagee is not allowed"
    )
    assert not (tmp_path / "srv").exists()


def test_foreign_containers_are_refused_or_adopted(docker: FakeDocker, run: Run, tmp_path: Path) -> None:
    docker.add("web", "someone", "app")
    assert fails(run) == (
        "a container named 'web' is there and belongs to project someone, not to project 'web'; remove or rename it,"
        " or let it be replaced with adopt: true"
    )
    assert docker.writes == []
    assert not (tmp_path / "srv").exists()
    assert "web: remove container web of project someone (adopted)" in run(adopt=True)["actions"]


def test_missing_networks_and_images_are_told_before_anything_is_written(
    docker: FakeDocker, run: Run, tmp_path: Path
) -> None:
    text = DEFINITION + "    networks: [far]\nnetworks: {far: {external: true}}\n"
    assert fails(run, text) == ("the network 'far' that project 'web' joins does not exist; role networking makes it")
    docker.images.clear()
    assert "the image img:1 of service 'web' is not on the host" in fails(run, pull="never")
    assert not (tmp_path / "srv").exists()


def test_a_recreation_that_was_killed_half_way_is_finished(docker: FakeDocker, run: Run) -> None:
    run()
    stray = docker.add("0123456789ab_web", "web", "web", status="created")
    docker.containers = {"0123456789ab_web": stray, "web": docker.containers["web"]}
    result = run()
    assert result["actions"] == ["web: remove 0123456789ab_web (one too many of web)"]
    assert list(docker.containers) == ["web"]
    assert run()["changed"] is False


def test_an_orphan_may_have_the_name_of_a_service(docker: FakeDocker, run: Run) -> None:
    run(DEFINITION.replace("  web:\n", "  old:\n"))
    orphan = docker.containers["web"]["Id"]
    result = run()
    assert f"web: remove web ({orphan}) (orphan)" in result["actions"] and "web: create" in result["actions"]
    assert docker.containers["web"]["Config"]["Labels"]["com.docker.compose.service"] == "web"
    assert run()["changed"] is False


def test_stopped_and_absent(docker: FakeDocker, run: Run, tmp_path: Path) -> None:
    run()
    assert run(state="stopped")["actions"] == ["web: stop web"]
    assert run(state="stopped")["changed"] is False
    docker.volumes["web_data"] = "web"
    gone = run(state="absent")
    assert gone["actions"] == ["web: remove container web", "web: remove docker-compose.yml", "web: remove web.env"]
    assert run(state="absent")["changed"] is False
    told = fails(run, state="absent", remove_volumes=True, backup_dir=str(tmp_path))
    assert told.startswith("remove_volumes would delete the data of project 'web' (web_data); say so with")
    assert docker.volumes == {"web_data": "web"}


def test_stopping_does_not_replace_somebody_elses_definition_unasked(
    docker: FakeDocker, run: Run, tmp_path: Path
) -> None:
    docker.add("web", "web", "app")
    theirs = tmp_path / "srv/web/docker-compose.yml"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("services: {app: {image: theirs}}\n")
    assert "this module did not write" in fails(run, state="stopped")
    assert theirs.read_text() == "services: {app: {image: theirs}}\n"
    assert "web: stop web" in run(state="stopped", adopt=True)["actions"]
    assert run(state="stopped")["changed"] is False


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
    answer = engine.run_command(["sh", "-c", "sleep 5 & exec sleep 5"], timeout=0.1)
    assert (answer.rc, answer.err) == (124, "no answer within 0.1 s")
    assert time.monotonic() - started < 3


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


def test_absent_leaves_what_it_did_not_make(docker: FakeDocker, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    docker.add("web", "web", "app")
    result = run(state="absent")
    assert result["changed"] is False
    assert "is left alone" in capsys.readouterr().err + str(result.get("warnings"))
    assert list(docker.containers) == ["web"]


@pytest.mark.parametrize(
    ("definition", "sentence"),
    [
        ("a: [", "the definition of project 'web' is not YAML at line"),
        ("version: '3'", "the definition of project 'web' has no 'services'; give it at least one service"),
        ("services: {a: {ports: []}}", "service 'a' of project 'web' has neither image nor build"),
        (
            "services: {a: {image: x, mem_limit: 200x}}",
            "option 'mem_limit' of service 'a' of project 'web' is '200x', which is no size; write it like 200m or 1g",
        ),
        (
            "services: {a: {image: x, deploy: {resources: {limits: {memory: much}}}}}",
            "option 'deploy.resources.limits.memory' of service 'a' of project 'web' is 'much'",
        ),
        (
            "services: {a: {image: x, cpus: half}}",
            "option 'cpus' of service 'a' of project 'web' is 'half', which is no number of CPUs",
        ),
        ("services: {a: nothing}", "service 'a' of project 'web' is not a mapping of options"),
        (
            "services: {a: {image: x, labels: {8080: a, b: c}}}",
            "the definition of project 'web' has the name 8080, which is no text for YAML; put it in quotes",
        ),
        (
            "services: {a: {image: x, labels: {2026-12-05: a}}}",
            "the definition of project 'web' has the name 2026-12-05",
        ),
        (
            "services: {a: {image: x, labels: {a: 2026-13-05}}}",
            "the definition of project 'web' has a date that is none (month must be in 1..12); put it in quotes",
        ),
        ("services: {a: &a {image: x, x-a: *a}}", "the definition of project 'web' contains itself; remove that alias"),
    ],
)
def test_bad_definitions_are_told_in_one_sentence_before_anything_is_asked(
    docker: FakeDocker, run: Run, definition: str, sentence: str
) -> None:
    assert fails(run, definition).startswith(sentence)
    assert docker.calls == []


@pytest.mark.parametrize(
    ("project", "options", "sentence"),
    [
        ({"name": "Web"}, {}, "the project name 'Web' is none for Compose"),
        ({"definition": None}, {}, "project 'web' has no definition"),
        ({"files": [{"path": "../x", "content": ""}]}, {}, "file '../x' of project 'web' is outside its directory"),
        ({"files": [{"path": "x", "content": "", "mode": "9"}]}, {}, "mode '9' of file 'x' of project 'web' is none"),
        ({"files": [{"path": "web.env", "content": ""}]}, {}, "file of project 'web' 'web.env' is given twice"),
        (
            {"env": {"a b": 1}},
            {},
            "env of project 'web' has the name 'a b'; begin with a letter or '_', and use letters, digits, '_', '.' and"
            " '-'",
        ),
        ({"env": {"A": {"b": 1}}}, {}, "env of project 'web' has a mapping in 'A'; write it as one text"),
        ({"after": ["web"]}, {}, "the projects web wait for each other"),
        ({}, {"more": [{"name": "web", "state": "absent"}]}, "project 'web' is given twice"),
    ],
)
def test_bad_requests_are_told_in_one_sentence(
    docker: FakeDocker, run: Run, project: dict[str, Any], options: dict[str, Any], sentence: str
) -> None:
    assert fails(run, project=project, **options).startswith(sentence)
    assert docker.calls == []

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""compose_stack as a whole: plans, failures, secrets, bad input."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.compose import DEFINITION, Run, fails
from tests.support.fake_docker import FakeDocker
from tests.support.run_module import ModuleFailed


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


def test_a_check_run_counts_on_images_that_come(docker: FakeDocker, run: Run) -> None:
    run()
    assert run(check=True, coming_images=["img:1", "other:1"])["actions"] == [
        "web: recreate (img:1 was built or pulled again since)"
    ]
    assert run(coming_images=["img:1"])["changed"] is False


def test_a_check_run_counts_on_networks_that_come(docker: FakeDocker, run: Run) -> None:
    text = DEFINITION + "    networks: [far]\nnetworks: {far: {external: true}}\n"
    assert "the network 'far'" in str(run(text, check=True)["warnings"])
    assert not run(text, check=True, coming_networks=["far"]).get("warnings")
    assert "the network 'far'" in fails(run, text, coming_networks=["far"])
    docker.networks["far"] = "net-far"
    run(text)
    del docker.networks["far"]
    planned = run(text, check=True, coming_networks=["far"])["actions"]
    docker.networks["far"] = "net-other"
    assert planned == run(text)["actions"] == ["web: recreate (network far was made anew)"]


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


def test_a_file_belongs_to_the_user_that_its_container_runs_as(docker: FakeDocker, run: Run, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    project = {"files": [{"path": "token", "content": "top-secret\n", "mode": "0400", "owner": 65532}]}
    predicted, real = run(check=True, project=project), run(project=project)
    assert predicted["diff"] == real["diff"] and "top-secret" not in json.dumps(real)
    path = tmp_path / "srv/web/token"
    assert (path.stat().st_uid, path.stat().st_mode & 0o777) == (65532, 0o400)
    assert run(project=project)["changed"] is False
    os.chown(path, 0, 0)
    assert run(project=project)["actions"] == ["web: set owner 65532 of token"]
    assert path.stat().st_uid == 65532
    project["files"][0]["owner"] = -1
    assert "owner -1 of file 'token'" in fails(run, project=project)


@pytest.mark.parametrize(("asked", "billionths"), [("0.3", 300000012), ("0.33333", 333330016)])
def test_cpus_that_the_engine_counts_otherwise_are_no_difference(
    docker: FakeDocker, run: Run, asked: str, billionths: int
) -> None:
    definition = DEFINITION.replace("0.5", asked)
    run(definition)
    docker.containers["web"]["HostConfig"]["NanoCpus"] = billionths
    assert run(definition, check=True)["changed"] is False


def test_more_cpus_than_the_host_has_are_refused_before_anything_is_touched(
    docker: FakeDocker, run: Run, tmp_path: Path
) -> None:
    told = (
        "service 'web' of project 'web' is given 2.5 CPUs, but the Docker engine's host has 2;"
        " write 2 or less as its cpus"
    )
    for check in (True, False):
        assert fails(run, DEFINITION.replace("0.5", "2.5"), host_cpus=2, check=check) == told
    assert docker.writes == [] and not (tmp_path / "srv").exists()
    assert run(DEFINITION.replace("0.5", "2"), host_cpus=2)["changed"] is True
    assert run(DEFINITION.replace("0.5", "3"), check=True)["changed"] is True
    assert run(DEFINITION.replace("0.5", "3"), host_cpus=2, state="stopped", check=True)["changed"] is True


def test_an_image_that_compose_fills_in_is_not_made_anew_for_ever(run: Run) -> None:
    definition = DEFINITION.replace("img:1", "img:${TAG:-1}")
    run(definition)
    assert run(definition)["changed"] is False


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

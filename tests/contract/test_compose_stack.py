# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""compose_stack against the engine of this machine, with small projects of its own names."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose import engine

from tests.support.containers import Container, docker
from tests.support.law import Law
from tests.support.run_module import ModuleFailed, run_module

IMAGE = "valkey/valkey:8.1.1"
SLEEP = 'command: ["sh", "-c", "trap exit TERM; sleep 1000 & wait"]'


class Bench:
    """Projects of one test: their names are unique, and everything is removed afterwards."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.tag = secrets.token_hex(3)
        self.names: set[str] = set()

    def name(self, stem: str = "a") -> str:
        name = f"t-compose-{self.tag}-{stem}"
        self.names.add(name)
        return name

    def project(self, stem: str = "a", body: str = "", rest: str = "", **more: Any) -> dict[str, Any]:
        name = self.name(stem)
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        text = (
            f"services:\n  web:\n    image: {IMAGE}\n    container_name: {name}\n    init: true\n"
            f"    entrypoint: []\n    {SLEEP}\n    restart: unless-stopped\n    stop_grace_period: 60s\n{lines}{rest}"
        )
        return {"name": name, "definition": text, **more}

    def params(self, *projects: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"projects": list(projects), "services_dir": str(self.directory), "wait_timeout": 120, **more}

    def run(self, *projects: dict[str, Any], check: bool = False, **more: Any) -> dict[str, Any]:
        return run_module("compose_stack", self.params(*projects, **more), check=check)

    def fails(self, *projects: dict[str, Any], **more: Any) -> str:
        with pytest.raises(ModuleFailed) as failed:
            self.run(*projects, **more)
        return str(failed.value)

    def live(self) -> dict[str, Any]:
        """Everything about this test's containers, networks, volumes and files, read without code under test."""
        mine = f"t-compose-{self.tag}-"
        ids = docker("ps", "-aq", "--no-trunc", "--filter", f"name={mine}").split()
        found = json.loads(docker("inspect", *ids)) if ids else []
        return {
            "containers": {
                one["Name"]: [one["Id"], one["State"]["StartedAt"], one["State"]["Status"], one["HostConfig"]["Memory"]]
                for one in found
            },
            "networks": sorted(docker("network", "ls", "-q", "--no-trunc", "--filter", f"name={mine}").split()),
            "volumes": sorted(docker("volume", "ls", "-q", "--filter", f"name={mine}").split()),
            "files": {
                str(path.relative_to(self.directory)): [path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns]
                for path in sorted(self.directory.rglob("*"))
                if path.is_file()
            },
        }

    def id(self, name: str) -> str:
        return docker("inspect", "-f", "{{.Id}}", name)

    def clean(self) -> None:
        for name in self.names:
            docker("rm", "-f", "-v", name, check=False)
            ids = docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={name}").split()
            if ids:
                docker("rm", "-f", "-v", *ids, check=False)
        for kind in ("network", "volume"):
            for one in docker(kind, "ls", "-q", "--filter", f"name=t-compose-{self.tag}-").split():
                docker(kind, "rm", one, check=False)


@contextmanager
def _bench(directory: Path) -> Iterator[Bench]:
    if not docker("image", "ls", "-q", IMAGE):
        pytest.skip(f"{IMAGE} is not on this machine; ./stack images makes it")
    bench = Bench(directory)
    try:
        yield bench
    finally:
        bench.clean()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with _bench(tmp_path / "services") as bench:
        yield bench


@dataclass
class Stage:
    """Two projects that run; every drift test leaves them as it found them."""

    bench: Bench
    projects: list[dict[str, Any]]
    extra: str

    @property
    def name(self) -> str:
        return str(self.projects[0]["name"])

    @property
    def directory(self) -> Path:
        return self.bench.directory


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with _bench(tmp_path_factory.mktemp("stage") / "services") as bench:
        project = bench.project(
            body=f"cpus: 0.5\nenv_file: [{bench.name()}.env]\nvolumes: ['./conf:/conf:ro']\n"
            "healthcheck: {test: [CMD, test, '!', -e, /tmp/sick], interval: 1s, retries: 1}",
            env={"A": "b"},
            files=[{"path": "conf/a", "content": "x\n"}],
        )
        stage = Stage(bench, [project, bench.project("n")], bench.name("extra"))
        docker("network", "create", stage.extra)
        bench.run(*stage.projects)
        yield stage


def test_the_law(bench: Bench) -> None:
    files = [{"path": "conf/a.conf", "content": "one\n"}]
    body = "mem_limit: 30m\ncpus: 0.25\nvolumes: ['./conf:/conf:ro']"
    env_body = f"{body}\nenv_file: [{bench.name()}.env]"
    project = bench.project(body=env_body, env={"PASSWORD": "s3cret-word"}, files=files)
    changed = bench.project(
        body=env_body.replace("30m", "40m"), env={"PASSWORD": "an0ther-word"}, files=[{**files[0], "content": "two\n"}]
    )
    Law(
        module="compose_stack",
        create=bench.params(project),
        update=bench.params(changed),
        drift=lambda: docker("update", "--memory", "50m", "--memory-swap", "100m", bench.name()) and None,
        drift_words="memory limit is 50m instead of 40m",
        delete=bench.params({"name": bench.name()}, state="absent"),
        independent_read=bench.live,
    ).hold()
    assert bench.live() == {"containers": {}, "networks": [], "volumes": [], "files": {}}


def test_env_reaches_the_container_literally_and_stays_secret(bench: Bench) -> None:
    odd = {
        "A": "it's $HOME ${X} \"q\" \\n #c", "B": "\\$X\\", "C": "l1\nl'2 $Z\\", "D": "", "E": " lead ' ",
        "F": "`x` 'a' \\$Y", "G": "$$x", "H": "a\\",
    }  # fmt: skip
    body = f"env_file: [{bench.name()}.env]"
    result = bench.run(bench.project(body=body, env={**odd, "TOKEN": "hush-hush-hush"}))
    seen = dict(one.split("=", 1) for one in json.loads(docker("inspect", "-f", "{{json .Config.Env}}", bench.name())))
    assert {key: seen[key] for key in odd} == odd
    assert "hush-hush-hush" not in json.dumps(result)
    assert (bench.directory / bench.name() / f"{bench.name()}.env").stat().st_mode & 0o777 == 0o600
    again = bench.run(bench.project(body=body, env={**odd, "TOKEN": "0ther-token"}), check=True)
    assert again["diff"]["before"][bench.name()]["files"][f"{bench.name()}.env"]["values"]["TOKEN"] == "*** (differs)"
    assert f"{bench.name()}: recreate web (its environment changed)" in again["actions"]


def _edit(path: Path) -> None:
    path.write_text(path.read_text() + "# by hand\n")


@pytest.mark.parametrize(
    ("drift", "words", "same_container"),
    [
        (lambda b, n: docker("kill", n), "start web (container exited with 137)", True),
        (lambda b, n: docker("stop", n), "start web (container exited with", True),
        (lambda b, n: docker("pause", n), "unpause web (container is paused)", True),
        (lambda b, n: docker("rm", "-f", n), "create web", False),
        (lambda b, n: docker("update", "--restart", "always", n), "restart policy is always instead of", False),
        (lambda b, n: docker("update", "--cpus", "1", n), "CPU limit is 1.0 instead of 0.5", False),
        (lambda b, n: docker("rename", n, f"{n}-x"), "it was renamed to", False),
        (lambda b, n: _edit(b.directory / n / "docker-compose.yml"), "mend docker-compose.yml (edited by hand)", True),
        (lambda b, n: _edit(b.directory / n / f"{n}.env"), "mend", True),
        (lambda b, n: _edit(b.directory / n / "conf/a"), "its file conf/a was edited", False),
        (lambda b, n: (b.directory / n / f"{n}.env").chmod(0o644), "set mode 0600 of", True),
        (lambda b, n: (b.directory / n / ".compose_stack.json").unlink(), "note what runs", True),
        (
            lambda b, n: docker("network", "disconnect", "-f", f"{n}_default", n),
            "not attached to network", False,
        ),
        (lambda b, n: docker("network", "connect", b.extra, n), "by hand", False),
        (
            lambda b, n: (docker("network", "disconnect", "-f", f"{n}_default", n),
                          docker("network", "rm", f"{n}_default")),
            "not attached to network", False,
        ),
        (
            lambda b, n: (docker("stop", n), docker("network", "rm", f"{n}_default")),
            "is gone", False,
        ),
        (
            lambda b, n: docker("run", "-d", "--name", f"{n}-orphan", "--label", f"com.docker.compose.project={n}",
                                "--label", "com.docker.compose.service=old", "--entrypoint", "sleep", IMAGE, "999"),
            "(orphan)", True,
        ),
        (lambda b, n: (docker("exec", n, "touch", "/tmp/sick") and None) or _until_unhealthy(n), "is unhealthy", False),
    ],
    ids=[
        "killed", "stopped", "paused", "removed", "restart-policy", "cpus", "renamed", "compose-file", "env-file",
        "extra-file", "mode", "note", "disconnected", "connected", "network-removed", "network-gone",
        "orphan", "unhealthy",
    ],
)  # fmt: skip
def test_drift_is_named_and_mended(stage: Stage, drift: Any, words: str, same_container: bool) -> None:
    bench, name, other = stage.bench, stage.name, stage.projects[1]["name"]
    before, neighbour = bench.id(name), bench.id(other)
    drift(stage, name)
    predicted = bench.run(*stage.projects, check=True)
    mended = bench.run(*stage.projects)
    assert mended["actions"] == predicted["actions"]
    assert mended["diff"] == predicted["diff"]
    assert any(words in line for line in mended["actions"]), mended["actions"]
    assert len([line for line in mended["actions"] if "mend" not in line]) <= 1
    assert (bench.id(name) == before) is same_container
    assert bench.id(other) == neighbour
    assert bench.run(*stage.projects)["changed"] is False


def _until_unhealthy(name: str) -> None:
    Container(name).wait(lambda: docker("inspect", "-f", "{{.State.Health.Status}}", name) == "unhealthy")


def test_an_external_network_that_was_made_anew_is_joined_again(bench: Bench) -> None:
    network = bench.name("net")
    project = bench.project(body=f"networks: [{network}]", rest=f"networks: {{{network}: {{external: true}}}}\n")
    told = bench.fails(project)
    assert told == (
        f"the network '{network}' that project '{bench.name()}' joins does not exist; role networking makes it"
    )
    assert not bench.directory.exists()
    assert bench.run(project, check=True)["actions"][-1] == f"{bench.name()}: create web"
    docker("network", "create", network)
    bench.run(project)
    docker("network", "disconnect", "-f", network, bench.name())
    docker("network", "rm", network)
    docker("network", "create", network)
    assert bench.run(project)["actions"] == [f"{bench.name()}: recreate web (not attached to network {network})"]
    assert bench.run(project)["changed"] is False
    docker("stop", bench.name())
    docker("network", "rm", network)
    docker("network", "create", network)
    reason = f"network {network} was made anew; container exited with 143"
    assert bench.run(project)["actions"] == [f"{bench.name()}: recreate web ({reason})"]
    assert bench.run(project)["changed"] is False


def test_a_moved_tag_makes_the_container_anew(bench: Bench) -> None:
    tag = f"{bench.name('image')}:1"
    docker("tag", IMAGE, tag)
    try:
        project = bench.project(body="mem_limit: 30m")
        project["definition"] = project["definition"].replace(IMAGE, tag)
        bench.run(project)
        holder = docker("create", IMAGE)
        docker("commit", holder, tag)
        docker("rm", holder)
        moved = bench.run(project)
        assert moved["actions"] == [f"{bench.name()}: recreate web ({tag} was built or pulled again since)"]
        assert bench.run(project)["changed"] is False
    finally:
        bench.clean()
        docker("rmi", "-f", tag, check=False)


def test_a_foreign_container_is_refused_and_adopted_only_when_told(bench: Bench) -> None:
    project = bench.project()
    docker("run", "-d", "--name", bench.name(), "--entrypoint", "sleep", IMAGE, "999")
    before = bench.live()
    told = bench.fails(project)
    assert told == (
        f"a container named '{bench.name()}' is there and belongs to no project, not to project '{bench.name()}';"
        " remove or rename it, or let it be replaced with adopt: true"
    )
    assert bench.live() == before
    assert bench.run(project, adopt=True)["changed"] is True
    assert bench.run(project)["changed"] is False


def test_a_project_of_somebody_else_is_left_alone(bench: Bench) -> None:
    project = bench.project()
    directory = bench.directory / bench.name()
    directory.mkdir(parents=True)
    (directory / "docker-compose.yml").write_text(project["definition"].replace("1000", "2000"))
    docker("compose", "-p", bench.name(), "-f", str(directory / "docker-compose.yml"), "up", "-d")
    before = bench.live()
    assert "that this module did not write" in bench.fails(project)
    down = bench.run({"name": bench.name()}, state="absent")
    assert down["changed"] is False
    assert bench.live() == before
    assert bench.run(project, adopt=True)["changed"] is True
    assert bench.run(project)["changed"] is False


def test_a_service_that_fails_is_told_with_its_last_words(bench: Bench) -> None:
    good, bad = bench.project("good"), bench.project("bad")
    bad["env"] = {"PASSWORD": "s3cret-word"}
    bad["definition"] = (
        bad["definition"].replace("trap exit TERM", "echo no licence for $$PASSWORD; trap exit TERM")
        + f"    env_file: [{bad['name']}.env]\n"
        "    healthcheck: {test: [CMD-SHELL, 'echo sick of $$PASSWORD; exit 1'], interval: 1s, retries: 1}\n"
    )
    with pytest.raises(ModuleFailed) as failed:
        bench.run(good, bad)
    told = str(failed.value)
    assert "no licence for ***" in told
    assert "sick of ***" in told
    assert "s3cret-word" not in json.dumps(failed.value.result)
    assert list(failed.value.result["failed_projects"]) == [bad["name"]]
    assert bench.run(good)["changed"] is False


def test_what_compose_refuses_never_replaces_a_working_file(bench: Bench) -> None:
    project = bench.project()
    bench.run(project)
    before = bench.live()
    told = bench.fails({**project, "definition": project["definition"] + "    no_such_option: 1\n"})
    assert told.startswith(f"docker compose refuses the definition of project '{bench.name()}'")
    assert "no_such_option" in told
    assert bench.live() == before


def test_a_run_that_was_killed_is_finished_by_the_next(bench: Bench) -> None:
    project = bench.project(body="mem_limit: 30m")
    bench.run(project)
    newer = {**project, "definition": project["definition"].replace("30m", "40m")}
    (bench.directory / bench.name() / "docker-compose.yml").write_text(newer["definition"])
    actions = bench.run(newer)["actions"]
    assert actions == [f"{bench.name()}: recreate web (its definition changed; memory limit is 30m instead of 40m)"]
    assert bench.run(newer)["changed"] is False


def test_only_the_service_that_changed_is_made_anew(bench: Bench) -> None:
    project = bench.project()
    project["definition"] += f"  side:\n    image: {IMAGE}\n    entrypoint: []\n    {SLEEP}\n"
    bench.run(project)
    side = f"{bench.name()}-side-1"
    web_before, side_before = bench.id(bench.name()), bench.id(side)
    commented = {**project, "definition": "# a comment\n" + project["definition"]}
    assert bench.run(commented)["actions"] == [f"{bench.name()}: update docker-compose.yml"]
    assert (bench.id(bench.name()), bench.id(side)) == (web_before, side_before)
    grown = {**commented, "definition": commented["definition"] + "    mem_limit: 20m\n"}
    assert bench.run(grown)["changed"] is True
    assert bench.id(bench.name()) == web_before
    assert bench.id(side) != side_before
    bench.run(project | {"definition": commented["definition"].split("  side:")[0]})
    assert docker("ps", "-aq", "--filter", f"name={side}") == ""


def test_stopped_and_back(bench: Bench) -> None:
    project = bench.project()
    bench.run(project)
    container = bench.id(bench.name())
    assert bench.run(project, state="stopped")["actions"] == [f"{bench.name()}: stop {bench.name()}"]
    assert bench.run(project, state="stopped")["changed"] is False
    assert docker("inspect", "-f", "{{.State.Status}}", bench.name()) == "exited"
    bench.run(project)
    assert bench.id(bench.name()) == container


def test_volumes_go_only_with_two_words_and_a_backup(bench: Bench, tmp_path: Path) -> None:
    project = bench.project(body="volumes: ['data:/data']", rest="volumes: {data: {}}\n")
    bench.run(project)
    docker("exec", bench.name(), "sh", "-c", "echo precious > /data/file")
    volume = f"{bench.name()}_data"
    down = {"state": "absent", "backup_dir": str(tmp_path / "backups")}
    gone = {"name": bench.name()}
    bench.run(gone, **down)
    assert bench.live()["volumes"] == [volume]
    assert bench.run(gone, **down)["changed"] is False
    told = bench.fails(gone, remove_volumes=True, **down)
    assert told == (
        f"remove_volumes would delete the data of project '{bench.name()}' ({volume}); say so with"
        f" confirm_data_loss: [{bench.name()}]"
    )
    result = bench.run(gone, remove_volumes=True, confirm_data_loss=[bench.name()], **down)
    assert bench.live() == {"containers": {}, "networks": [], "volumes": [], "files": {}}
    shutil.unpack_archive(result["backups"][0], tmp_path / "unpacked", "tar")
    assert next((tmp_path / "unpacked").rglob("file")).read_text() == "precious\n"
    again = bench.run(gone, remove_volumes=True, confirm_data_loss=[bench.name()], **down)
    assert again["changed"] is False


def test_order(bench: Bench) -> None:
    first = bench.project(
        "first", body="healthcheck: {test: [CMD, test, -e, /tmp], interval: 1s, retries: 1}"
    )  # fmt: skip
    second = bench.project("second", after=[first["name"], "not-here"])
    bench.run(second, first)
    started = [docker("inspect", "-f", "{{.State.StartedAt}}", one["name"]) for one in (first, second)]
    assert started == sorted(started)


def test_nine_projects_ask_docker_as_often_as_one_when_nothing_is_to_do(bench: Bench) -> None:
    projects = [bench.project(f"p{number}") for number in range(9)]
    bench.run(*projects)

    def asked(*some: dict[str, Any]) -> int:
        with mock.patch.object(engine.subprocess, "Popen", side_effect=engine.subprocess.Popen) as started:
            assert bench.run(*some)["changed"] is False
        return started.call_count

    assert asked(*projects) == asked(projects[0]) > 0

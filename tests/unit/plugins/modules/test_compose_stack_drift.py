# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What compose_stack names and mends when somebody else changed something."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.engine import Answer

from tests.support.compose import DEFINITION, Run
from tests.support.fake_docker import FakeDocker


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
        (lambda d: d.images.update({"img:1": "sha256:two"}), "img:1 was built or pulled again since"),
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
    ("declared", "seen", "actions"),
    [
        ("648m", 400, ["web: recreate (limit of memory and swap is 400m instead of 648m)"]),
        ("648m", None, []),
        (None, 400, []),
    ],
    ids=["another", "not counted by the kernel", "not declared"],
)
def test_the_limit_of_memory_and_swap(
    docker: FakeDocker, run: Run, declared: str | None, seen: int | None, actions: list[str]
) -> None:
    more = f"    memswap_limit: {declared}\n" if declared else ""
    run(DEFINITION + more)
    change("HostConfig/MemorySwap", -1 if seen is None else seen * 1024**2)(docker)
    assert run(DEFINITION + more, check=True)["actions"] == actions


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


@pytest.mark.parametrize(
    ("drift", "resting"),
    [
        (lambda d: None, False),
        (lambda d: d.containers.clear(), False),
        (change("HostConfig/Memory", 1), False),
        (change("State", {"Status": "exited", "ExitCode": 0}), True),
        (change("State", {"Status": "running", "Health": {"Status": "unhealthy"}}), True),
        (lambda d: d.networks.pop("web_default"), True),
        (change("NetworkSettings/Networks", {}), True),
    ],
)
def test_a_check_run_says_what_it_cannot_ask_yet(
    docker: FakeDocker, run: Run, drift: Callable[[FakeDocker], None], resting: bool
) -> None:
    run()
    drift(docker)
    seen = run(check=True)
    assert seen["projects"]["web"]["resting"] is resting
    assert seen["projects"]["web"]["changed"] is seen["changed"]


def test_what_is_to_stop_does_not_rest_before(docker: FakeDocker, run: Run) -> None:
    run()
    assert run(project={"state": "stopped"}, check=True)["projects"]["web"]["resting"] is False


def test_a_network_that_the_definition_left_was_not_joined_by_hand(docker: FakeDocker, run: Run) -> None:
    docker.networks["inner"] = "net-inner"
    both = (
        DEFINITION + "    networks: [inner, outside]\nnetworks: {outside: {external: true}, inner: {external: true}}\n"
    )
    one = both.replace("[inner, outside]", "[inner]")
    run(both)
    assert run(one, check=True)["actions"][-1] == "web: recreate (its definition changed; attached to network outside)"
    run(one)
    docker.containers["web"]["NetworkSettings"]["Networks"]["outside"] = {"NetworkID": docker.networks["outside"]}
    assert run(one, check=True)["actions"] == ["web: recreate (attached to network outside by hand)"]


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

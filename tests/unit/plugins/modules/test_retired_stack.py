# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole of retired_stack against an engine in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose import engine
from ansible_collections.bestviable.planner_memory.plugins.module_utils._retire import look, resource
from ansible_collections.bestviable.planner_memory.plugins.module_utils._retire.volumes import sha256

from tests.support.fake_stack import FakeStack, Killed
from tests.support.retired import Run, archive, fails


def test_check_says_what_a_run_then_does(retire: Run, stack: FakeStack, tmp_path: Path) -> None:
    predicted = retire(check=True)
    assert stack.writes == [] and not (tmp_path / "archive").exists()
    real = retire()
    assert predicted["changed"] and real["changed"]
    assert predicted["diff"] == real["diff"] and predicted["actions"] == real["actions"]
    assert predicted["archive"] == real["archive"] == str(archive(tmp_path))
    again = retire()
    assert not again["changed"] and stack.writes == [] and again["diff"]["before"] == again["diff"]["after"]


def test_everything_is_kept_and_only_the_stack_goes(retire: Run, stack: FakeStack, tmp_path: Path) -> None:
    result = retire(expected_memory_mb=809)
    assert list(stack.containers) == ["other"] and "archon_default" not in stack.networks
    assert "archon_data" in stack.volumes and "shared" in stack.networks
    assert archive(tmp_path).stat().st_mode & 0o777 == 0o600
    assert archive(tmp_path, ".json").stat().st_mode & 0o777 == 0o600
    told = json.loads(archive(tmp_path, ".json").read_text())
    assert [one["Name"] for one in told["containers"]] == ["/archon-mcp", "/archon-server", "/archon-ui"]
    assert told["source"] == "compose" and told["external_networks"] == ["shared"]
    backup = archive(tmp_path, ".volumes") / "archon_data.tar.gz"
    assert f"{sha256(backup)}  archon_data.tar.gz\n" == Path(f"{backup}.sha256").read_text()
    assert result["memory"]["stack_mb"] == 810 and result["warnings"] == []
    assert "top-secret" not in json.dumps(result)
    assert result["containers"]["archon-ui"]["env"] == {"PATH": "***", "API_KEY": "***"}
    assert not (tmp_path / "archive/.archon.retiring").exists()


def test_the_backup_comes_before_anything_is_removed(retire: Run, stack: FakeStack) -> None:
    retire()
    verbs = [one.split()[0] for one in stack.writes]
    assert verbs.index("stop") < verbs.index("--create") < verbs.index("compose")


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
def test_a_run_that_is_killed_anywhere_is_run_again(retire: Run, stack: FakeStack, tmp_path: Path, after: bool) -> None:
    whole = len(retire()["actions"]) and len(stack.calls)
    wanted = retire()["diff"]["after"]
    for call in range(1, whole + 1):
        for file in sorted((tmp_path / "archive").rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        stack.start()
        stack.die_at, stack.die_after = call, after
        with pytest.raises(Killed):
            retire()
        stack.die_at = None
        finished = retire(date="20251202")
        kept = archive(tmp_path) if archive(tmp_path).exists() else tmp_path / "archive/archon-20251202.yml"
        assert finished["archive"] == str(kept), call
        assert {**finished["diff"]["after"], "archive": 0} == {**wanted, "archive": 0}, call
        assert list(stack.containers) == ["other"] and stack.containers["other"]["State"]["Status"] == "running"
        assert len(json.loads(Path(str(kept)[:-4] + ".json").read_text())["containers"]) == 3, call
        assert not retire()["changed"], call


def test_the_memory_is_that_before_the_run_that_was_killed(retire: Run, stack: FakeStack) -> None:
    retire()
    stack.die_at = next(number for number, one in enumerate(stack.calls, 1) if "down" in one)
    stack.start()
    with pytest.raises(Killed):
        retire(date="20251202")
    stack.die_at = None
    stack.memory = "1MiB / 2GiB"
    assert retire(date="20251203")["memory"]["stack_mb"] == 810


def test_what_was_freed_is_what_there_is_more(retire: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert retire(check=True)["memory"]["freed_mb"] is None
    free = iter([100 * 2**20, 100 * 2**20, 900 * 2**20])
    monkeypatch.setattr(look, "available_memory", lambda: next(free))
    memory = retire()["memory"]
    assert (memory["available_before_mb"], memory["available_after_mb"], memory["freed_mb"]) == (100, 900, 800)


def test_less_than_half_of_the_expected_memory_is_a_warning(retire: Run, stack: FakeStack) -> None:
    stack.memory = "100MiB / 2GiB"
    assert retire(expected_memory_mb=809)["warnings"] == [
        "archon used 300 MB, less than half of the 809 MB that were expected"
    ]


def test_a_second_stack_of_the_same_day_is_refused_before_anything_stops(retire: Run, stack: FakeStack) -> None:
    retire()
    stack.start()
    stack.containers["archon-ui"]["Image"] = "sha256:new"
    assert "does not hold archon-ui as it is now: it has another image" in fails(retire)
    assert stack.writes == []


def test_the_same_day_neither_overwrites_nor_duplicates(retire: Run, stack: FakeStack, tmp_path: Path) -> None:
    retire()
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "archive").iterdir()}
    stack.start()
    retire()
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "archive").iterdir()} == before


@pytest.mark.parametrize("how", ["gone", "broken", "without compose", "v1"])
def test_without_a_usable_file_the_containers_say_what_they_are(
    retire: Run, stack: FakeStack, tmp_path: Path, how: str
) -> None:
    if how in ("gone", "v1"):
        (tmp_path / "archon/docker-compose.yml").unlink()
    stack.broken = how == "broken"
    stack.compose = how != "without compose"
    if how == "v1":
        for one in stack.containers.values():
            for key in ("working_dir", "config_files"):
                one["Config"]["Labels"].pop(f"com.docker.compose.project.{key}", None)
    result = retire()
    made = json.loads(archive(tmp_path).read_text())
    assert made["services"]["server"]["environment"] == {"API_KEY": "top-secret"}
    assert made["services"]["server"]["volumes"][0]["source"] == "archon_data"
    assert made["networks"]["shared"] == {"name": "shared", "external": True}
    assert made["networks"]["default"] == {"name": "archon_default"}
    assert list(stack.containers) == ["other"] and "archon_default" not in stack.networks
    assert "top-secret" not in json.dumps(result)


def test_half_a_stack_is_retired_too(retire: Run, stack: FakeStack) -> None:
    del stack.containers["archon-mcp"], stack.containers["archon-server"]
    retire()
    assert list(stack.containers) == ["other"]


def test_found_by_name_alone_what_else_is_in_the_project_stays(retire: Run, stack: FakeStack) -> None:
    stack.add("precious-db", project="archon", service="db", networks=["archon_default"])
    retire(projects=[])
    assert sorted(stack.containers) == ["other", "precious-db"]
    assert "archon_default" in stack.networks


def test_found_by_directory(retire: Run, stack: FakeStack, tmp_path: Path) -> None:
    retire(projects=[], containers=[], directory=str(tmp_path / "archon"))
    assert list(stack.containers) == ["other"]


def test_a_network_that_others_use_stays(retire: Run, stack: FakeStack) -> None:
    stack.add("guest", networks=["archon_default"], status="exited")
    result = retire()
    assert "archon_default" in stack.networks
    assert result["warnings"] == ["network archon_default stays, because guest is in it"]
    assert not any("down" in one for one in stack.writes), "Compose would have removed the network"
    assert not retire()["changed"]


def test_a_half_removed_stack_goes_without_compose(retire: Run, stack: FakeStack) -> None:
    stack.containers["archon-server"]["Config"]["Labels"]["com.docker.compose.depends_on"] = "mcp:service_started:false"
    del stack.containers["archon-mcp"]
    result = retire()
    assert sorted(stack.containers) == ["other"]
    assert not any("down" in one for one in stack.writes), "Compose finds no service mcp and takes nothing down"
    assert "stop and remove archon-server" in result["actions"]
    assert not retire()["changed"]


def test_volumes_and_images_go_only_when_asked_and_backed_up(retire: Run, stack: FakeStack) -> None:
    assert "has no backup" in fails(retire, remove_volumes=True, backup_volumes=False)
    assert stack.writes == []
    retire(backup_volumes=False)
    assert retire(remove_volumes=True)["changed"] and not stack.volumes
    assert not retire(remove_volumes=True)["changed"]


def test_images_go_when_asked(retire: Run, stack: FakeStack) -> None:
    result = retire(remove_images=True, check=True)
    assert [words for words in result["actions"] if words.startswith("remove image")] == [
        "remove image mcp:1",
        "remove image server:1",
        "remove image ui:1",
    ]


def test_nothing_there_is_nothing_done(retire: Run, stack: FakeStack, tmp_path: Path) -> None:
    stack.containers = {"other": stack.containers["other"]}
    del stack.networks["archon_default"]
    result = retire()
    assert not result["changed"] and result["archive"] is None and not (tmp_path / "archive").exists()


def test_a_note_that_a_caller_wanted_stays(retire: Run, tmp_path: Path) -> None:
    retire(keep_note=True)
    assert (tmp_path / "archive/.archon.retiring").read_text() == "20251201\n"
    assert not retire(keep_note=True)["changed"]
    assert retire()["actions"] == ["remove the note that the retirement goes on"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"date": "20251301"}, "date is '20251301', which is no date"),
        ({"date": "soon"}, "write one as YYYYMMDD"),
        ({"name": "Ar chon"}, "name is 'Ar chon'"),
        ({"archive_dir": "archive"}, "not an absolute path"),
        ({"projects": [], "containers": []}, "nothing says which containers"),
    ],
)
def test_bad_input_is_one_sentence(retire: Run, stack: FakeStack, options: dict[str, Any], words: str) -> None:
    told = fails(retire, **options)
    assert words in told and "\n" not in told
    assert stack.writes == []


def test_an_archive_folder_that_is_a_file_is_told_first(retire: Run, stack: FakeStack, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be written to; nothing was stopped" in fails(retire, archive_dir=str(tmp_path / "file/archive"))
    assert stack.writes == []


def test_a_disk_that_is_too_small_is_told_first(retire: Run, stack: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1024})
    monkeypatch.setattr(resource.shutil, "disk_usage", lambda _path: usage)
    for check in (True, False):
        told = fails(retire, check=check)
        assert "takes up to" in told and "has 1 KB; nothing was stopped" in told
    assert stack.writes == []


def test_a_failure_tells_no_secret(retire: Run, stack: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "_stop", lambda _args: engine.Answer(1, "", "cannot stop: API_KEY=top-secret"))
    assert fails(retire) == "stopping archon-server failed: cannot stop: API_KEY=***"


def test_a_failed_backup_says_what_is_left_stopped(
    retire: Run, stack: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = stack._answer
    monkeypatch.setattr(
        stack, "_answer", lambda argv: engine.Answer(2, "", "full") if argv[0] == "tar" else answer(argv)
    )
    assert fails(retire).endswith("; archon-server is left stopped, docker start brings it back")


def test_restored_is_what_was_retired(retire: Run, stack: FakeStack, tmp_path: Path) -> None:
    retire(remove_volumes=True)
    assert not stack.volumes
    predicted = retire(state="restored", check=True)
    assert stack.writes == []
    real = retire(state="restored")
    assert predicted["diff"] == real["diff"] and predicted["actions"] == real["actions"]
    assert (Path(stack.volumes["archon_data"]["Mountpoint"]) / "data").read_text() == "precious"
    assert "archon-server" in stack.containers
    assert not retire(state="restored")["changed"]
    retire(date="20251202")
    assert list(stack.containers) == ["other"]


def test_a_restore_that_is_killed_anywhere_is_run_again(retire: Run, stack: FakeStack) -> None:
    retire(remove_volumes=True)
    retire(state="restored")
    for call in range(1, len(stack.calls) + 1):
        retire(remove_volumes=True)
        stack.die_at = call
        with pytest.raises(Killed):
            retire(state="restored")
        stack.die_at = None
        retire(state="restored")
        assert (Path(stack.volumes["archon_data"]["Mountpoint"]) / "data").read_text() == "precious", call
        assert not retire(state="restored")["changed"], call


def test_a_backup_that_was_changed_is_not_restored(retire: Run, stack: FakeStack, tmp_path: Path) -> None:
    retire(remove_volumes=True)
    (archive(tmp_path, ".volumes") / "archon_data.tar.gz").write_bytes(b"other")
    assert "is not what was written" in fails(retire, state="restored")
    assert not stack.volumes


@pytest.mark.parametrize("what", ["archive", "network", "volume"])
def test_a_restore_needs_what_it_needs(retire: Run, stack: FakeStack, what: str) -> None:
    if what != "archive":
        retire(backup_volumes=False)
    if what == "network":
        del stack.networks["shared"]
        assert "network shared" in fails(retire, state="restored")
    elif what == "volume":
        stack.volumes.clear()
        assert "volume archon_data is gone" in fails(retire, state="restored")
    else:
        assert "there is no whole archive of archon" in fails(retire, state="restored")
    assert stack.writes == []


def test_an_unlabelled_container_that_differs_is_not_removed_without_a_trace(retire: Run, stack: FakeStack) -> None:
    for name in ("archon-mcp", "archon-server", "archon-ui"):
        stack.containers[name]["Config"]["Labels"] = {}
    retire()
    stack.add("archon-mcp", service="", networks=["shared"])
    stack.containers["archon-mcp"]["Image"] = "sha256:mcp"
    stack.containers["archon-mcp"]["Config"]["Env"] = ["TOKEN=another"]
    assert "archon-mcp as it is now: it has another configuration" in fails(retire)
    assert stack.writes == [] and "archon-mcp" in stack.containers


def test_an_unlabelled_container_that_is_the_same_goes_again(retire: Run, stack: FakeStack) -> None:
    for one in stack.containers.values():
        one["Config"]["Labels"] = {}
    again = dict(stack.containers)
    retire()
    stack.containers = again
    assert retire()["changed"] and list(stack.containers) == ["other"]


def test_a_file_that_only_has_the_name_of_an_archive_is_refused_first(
    retire: Run, stack: FakeStack, tmp_path: Path
) -> None:
    archive(tmp_path).parent.mkdir()
    archive(tmp_path).write_text("mine")
    assert "so it is no archive of archon; nothing was stopped" in fails(retire)
    assert stack.writes == [] and archive(tmp_path).read_text() == "mine"
    retire(date="20251130")
    assert retire(state="restored")["archive"].endswith("20251130.yml")


def test_a_network_that_is_left_makes_no_archive_that_hides_the_real_one(
    retire: Run, stack: FakeStack, tmp_path: Path
) -> None:
    stack.add("guest", networks=["archon_default"], status="exited")
    retire()
    del stack.containers["guest"]
    assert retire(date="20251202")["actions"][0] == "remove network archon_default"
    assert sorted(path.name for path in (tmp_path / "archive").glob("*.yml")) == ["archon-20251201.yml"]
    assert retire(state="restored", date="20251203")["changed"] and "archon-ui" in stack.containers


def test_a_lone_network_goes_without_an_archive(retire: Run, stack: FakeStack, tmp_path: Path) -> None:
    stack.containers = {"other": stack.containers["other"]}
    stack.volumes.clear()
    predicted = retire(check=True)
    real = retire()
    assert predicted["diff"] == real["diff"] and "archon_default" not in stack.networks
    assert real["archive"] is None and not list((tmp_path / "archive").glob("archon*"))


def test_the_mode_of_what_stands_beside_the_archive_counts_too(retire: Run, tmp_path: Path) -> None:
    retire()
    archive(tmp_path, ".json").chmod(0o644)
    assert retire()["changed"] and archive(tmp_path, ".json").stat().st_mode & 0o777 == 0o600
    assert not retire()["changed"]


def test_images_that_no_registry_has_are_not_removed(retire: Run, stack: FakeStack) -> None:
    stack.digests = []
    assert "no registry has mcp:1, server:1, ui:1" in fails(retire, remove_images=True)
    assert stack.writes == []


def test_the_archive_holds_what_ran_and_not_what_the_file_says_by_now(
    retire: Run, stack: FakeStack, tmp_path: Path
) -> None:
    stack.containers["archon-ui"]["Config"]["Labels"]["com.docker.compose.config-hash"] = "hash-before-the-edit"
    told = (
        "the Compose file of archon does not say any more what runs as ui; the archive holds what runs, and "
        f"{archive(tmp_path, '.file.yml')} what the file says"
    )
    assert retire(check=True)["warnings"] == [told] == retire()["warnings"]
    made = json.loads(archive(tmp_path).read_text())
    assert made["services"]["ui"]["environment"] == {"API_KEY": "top-secret"}
    assert archive(tmp_path, ".file.yml").read_text().startswith("name: archon\nservices:")
    assert archive(tmp_path, ".file.yml").stat().st_mode & 0o777 == 0o600
    assert retire(state="restored")["archive"] == str(archive(tmp_path))


def test_the_configuration_is_in_no_other_file(
    retire: Run, stack: FakeStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    stack.broken = True
    config = stack._config
    seen: list[Path] = []

    def look_around(args: list[str]) -> engine.Answer:
        seen.extend((tmp_path / "tmp").iterdir())
        return config(args)

    monkeypatch.setattr(stack, "_config", look_around)
    retire()
    assert seen == [] and json.loads(archive(tmp_path).read_text())["services"]

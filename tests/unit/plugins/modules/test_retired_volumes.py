# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Volumes of a stack that retired_stack takes away: nothing in them may be lost."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose import engine
from ansible_collections.bestviable.planner_memory.plugins.module_utils._retire import look

from tests.support.fake_stack import FakeStack, Killed
from tests.support.retired import Run, archive, fails


def restored(retire: Run, stack: FakeStack) -> Path:
    retire(state="restored")
    return Path(stack.volumes["archon_data"]["Mountpoint"]) / "data"


@pytest.mark.parametrize("what", ["data", "new", "deep/new", "mode"])
def test_what_was_written_after_the_backup_gets_one_of_its_own(
    retire: Run, stack: FakeStack, tmp_path: Path, what: str
) -> None:
    retire(remove_volumes=True)
    file = restored(retire, stack).parent / what
    if what == "mode":
        file.parent.chmod(0o711)
    else:
        file.parent.mkdir(exist_ok=True)
        file.write_text("newer")
    predicted = retire(remove_volumes=True, check=True)
    assert any("beside archon_data.tar.gz, which is older" in words for words in predicted["actions"])
    real = retire(remove_volumes=True)
    assert predicted["actions"] == real["actions"] and not stack.volumes
    verbs = [one.split()[0] for one in stack.writes]
    assert verbs.index("stop") < verbs.index("--create") < verbs.index("compose")
    assert sorted(path.name for path in archive(tmp_path, ".volumes").iterdir()) == [
        "archon_data.tar.gz", "archon_data.tar.gz.sha256", "archon_data@2.tar.gz", "archon_data@2.tar.gz.sha256",
    ]  # fmt: skip
    back = restored(retire, stack).parent
    assert back.stat().st_mode & 0o777 == 0o711 if what == "mode" else (back / what).read_text() == "newer"


def test_a_volume_that_was_kept_and_written_to_is_backed_up_before_it_goes(retire: Run, stack: FakeStack) -> None:
    retire()
    place = Path(stack.volumes["archon_data"]["Mountpoint"]) / "data"
    place.write_text("newer")
    assert not retire()["changed"]
    assert "holds what its backup does not" in fails(retire, remove_volumes=True, backup_volumes=False)
    assert place.read_text() == "newer"
    retire(remove_volumes=True)
    assert not stack.volumes and restored(retire, stack).read_text() == "newer"


def test_a_run_that_goes_on_after_a_start_does_not_trust_its_old_backup(
    retire: Run, stack: FakeStack, tmp_path: Path
) -> None:
    retire(remove_volumes=True)
    stack.die_at = next(number for number, one in enumerate(stack.calls, 1) if "down" in one)
    shutil.rmtree(tmp_path / "archive")
    stack.volume("archon_data")
    stack.start()
    with pytest.raises(Killed):
        retire(remove_volumes=True)
    stack.die_at = None
    stack.start()
    place = Path(stack.volumes["archon_data"]["Mountpoint"]) / "data"
    place.write_text("newer")
    retire(remove_volumes=True)
    assert [one.split()[0] for one in stack.writes][:2] == ["stop", "--create"]
    assert restored(retire, stack).read_text() == "newer"


def test_what_is_written_in_the_last_moment_is_kept_too(
    retire: Run, stack: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    down = stack._compose

    def late(args: list[str]) -> engine.Answer:
        if "down" in args:
            (Path(stack.volumes["archon_data"]["Mountpoint"]) / "data").write_text("newest")
        return down(args)

    monkeypatch.setattr(stack, "_compose", late)
    retire(remove_volumes=True)
    assert not stack.volumes and restored(retire, stack).read_text() == "newest"


def test_a_mounted_volume_is_not_called_backed_up(retire: Run, stack: FakeStack) -> None:
    stack.volumes["archon_data"]["Options"] = {"type": "nfs", "o": "addr=10.0.0.1", "device": ":/x"}
    for options in ({}, {"remove_volumes": True}):
        assert "with a mount of type nfs and cannot be read" in fails(retire, **options)
    assert stack.writes == []


def test_a_volume_that_is_a_folder_of_the_host_is_backed_up_from_there(
    retire: Run, stack: FakeStack, tmp_path: Path
) -> None:
    place = Path(stack.volumes["archon_data"]["Mountpoint"])
    (place / "data").unlink()
    device = tmp_path / "device"
    device.mkdir()
    (device / "data").write_text("bound")
    stack.volumes["archon_data"]["Options"] = {"type": "none", "o": "bind", "device": str(device)}
    assert f"its files stay in {device}" in str(retire(remove_volumes=True)["actions"])
    with tarfile.open(archive(tmp_path, ".volumes") / "archon_data.tar.gz") as kept:
        assert "./data" in kept.getnames()
    (device / "data").write_text("newer")
    retire(state="restored")
    assert (device / "data").read_text() == "newer", "what stayed is not written over"
    retire(remove_volumes=True)
    shutil.rmtree(device)
    retire(state="restored")
    assert (device / "data").read_text() == "newer"


def test_a_file_that_goes_while_sizes_are_read_is_no_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stays").write_text("1234")
    monkeypatch.setattr(look.os, "walk", lambda top, onerror: [(top, [], ["stays", "gone"])])
    assert look.size_of(str(tmp_path)) == 4


@pytest.mark.parametrize("how", ["spoiled", "gone"])
def test_check_refuses_a_backup_as_a_restore_does(retire: Run, stack: FakeStack, tmp_path: Path, how: str) -> None:
    retire(remove_volumes=True)
    file = archive(tmp_path, ".volumes") / "archon_data.tar.gz"
    file.unlink() if how == "gone" else file.write_bytes(b"other")
    told = fails(retire, state="restored", check=True)
    assert told == fails(retire, state="restored") and ("has no backup" if how == "gone" else "not what was") in told


def test_a_long_name_is_a_name(retire: Run, stack: FakeStack) -> None:
    for name in ("a" * 64, "b" * 64):
        stack.volume(name)
        stack.containers["archon-ui"]["Mounts"].append({"Type": "volume", "Name": name, "Destination": f"/{name}"})
    stack.volumes["b" * 64]["Labels"] |= {"com.docker.volume.anonymous": ""}
    assert [words for words in retire(remove_volumes=True)["warnings"] if "without a name" in words] == [
        "archon-ui has a volume without a name; a restore gives it a new one"
    ]
    retire(state="restored")
    assert "a" * 64 in stack.volumes and "b" * 64 not in stack.volumes

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archon's end: what cannot be done is told before anything is stopped, and what was documented stays so."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.playbook import ROOT, Run, run_playbook

ROLE = "bestviable.planner_memory.archon_deprecation"
NAMES = ["archon-server", "archon-ui", "archon-mcp"]
DOCUMENT = """# Services

### 1. Traefik

**Status**: Running

### 2. Archon

**Status**: Running
**Purpose**: Knowledge
"""
# In the place of docker: an engine with the stack and a volume, which writes down what it was asked for.
DOCKER = """#!{python}
import sys
sys.path.insert(0, {root!r})
import tests.conftest
from pathlib import Path
from tests.support.fake_stack import FakeStack
folder = Path({folder!r})
engine = FakeStack(folder)
engine.start()
engine.networks["shared"] = ""
engine.volumes["archon_data"] = {{
    "Name": "archon_data", "Driver": "local", "Mountpoint": str(folder / "data"), "Labels": {{}},
}}
engine.volumes["archon_data"]["Labels"]["com.docker.compose.project"] = "archon"
answer = engine(["docker", *sys.argv[1:]])
with (folder / "calls").open("a") as calls:
    calls.writelines(line + "\\n" for line in engine.writes)
sys.stdout.write(answer.out)
sys.stderr.write(answer.err)
sys.exit(answer.rc)
"""


def folder_of(folder: Path) -> Path:
    (folder / "bin").mkdir(parents=True)
    docker = folder / "bin/docker"
    docker.write_text(DOCKER.format(python=sys.executable, root=str(ROOT), folder=str(folder)))
    docker.chmod(0o755)
    (folder / "data").mkdir()
    (folder / "archive").mkdir()
    (folder / "SERVICE_INVENTORY.md").write_text(DOCUMENT)
    return folder


def host(folder: Path, *, stands: bool = True, **more: Any) -> dict[str, Any]:
    archives = sorted(str(path) for path in (folder / "archive").glob("archon-*.yml"))
    pattern = f"{folder}/archive/archon-{'[0-9]' * 8}.yml"
    running = [{"name": name, "state": "running", "project": "archon", "directory": None} for name in NAMES]
    return {
        "stack_host": {
            "markdown": True,
            "root": True,
            "engine": {"running": True, "containers": running if stands else []},
            "found": {pattern: archives},
        },
        "stack_environment": "production",
        "stack_services_dir": str(folder),
        "ansible_remote_tmp": str(folder / "remote"),
        **more,
    }


def play(folder: Path, hosts: dict[str, Any], *arguments: str) -> Run:
    one = {
        "hosts": "all",
        "gather_facts": False,
        "environment": {"PATH": f"{{{{ stack_services_dir }}}}/bin:{os.environ['PATH']}"},
        "tasks": [{"ansible.builtin.import_role": {"name": ROLE}}],
    }
    return run_playbook(folder, [one], "--diff", *arguments, hosts=hosts)


def recap(run: Run, name: str) -> str:
    return next(line for line in run.output.splitlines() if re.match(rf"{name} +:", line))


def huge(folder: Path) -> dict[str, Any]:
    with (folder / "data/big").open("wb") as stream:
        stream.truncate(1 << 43)
    return {}


def file_for_a_folder(folder: Path) -> dict[str, Any]:
    (folder / "file").touch()
    return {"archon_deprecation_archive_dir": f"{folder}/file/archive"}


def other_section(_folder: Path) -> dict[str, Any]:
    return {"archon_deprecation_section": "Arkon"}


def no_text(folder: Path) -> dict[str, Any]:
    (folder / "SERVICE_INVENTORY.md").write_bytes(b"# Archiv f\xfcr Archon\n")
    return {}


IMPOSSIBLE = {
    "section": (
        other_section,
        "archon_deprecation_section is 'Arkon', but no section or table row of {folder}/SERVICE_INVENTORY.md is"
        " about it or about archon-server, archon-ui, archon-mcp; nothing was touched, name one of its sections:"
        " Traefik, Archon",
    ),
    "folder": (
        file_for_a_folder,
        "archon_deprecation_archive_dir is {folder}/file/archive, and {folder}/file cannot be written to;"
        " nothing was stopped, make it a folder that this user may write, or name another one",
    ),
    "disk": (
        huge,
        "nothing was stopped, make room, name another archon_deprecation_archive_dir or set"
        " archon_deprecation_backup_volumes to false",
    ),
    "text": (
        no_text,
        "archon_deprecation_inventory is {folder}/SERVICE_INVENTORY.md, which is not UTF-8 (byte 10)",
    ),
}


@pytest.fixture(scope="module")
def impossible(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """All of them in one run, each host with a folder and an engine of its own."""
    top = tmp_path_factory.mktemp("impossible")
    hosts = {name: host(folder_of(top / name), **hurt(top / name)) for name, (hurt, _told) in IMPOSSIBLE.items()}
    return play(top, hosts), top


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_cannot_be_done_is_told_before_anything_is_stopped(impossible: tuple[Run, Path], name: str) -> None:
    run, top = impossible
    last = run.of_host(name).splitlines()[-1]
    assert IMPOSSIBLE[name][1].format(folder=top / name) in last and "failed=1 " in recap(run, name), run.output
    assert (top / name / "calls").read_text() == "", "the engine was asked to change something"
    assert list((top / name / "archive").iterdir()) == []


def test_a_document_that_is_not_there_is_told_by_the_preflight(tmp_path: Path) -> None:
    path = f"{tmp_path}/services/SERVICE_INVENTORY.md"
    tasks = [
        {"ansible.builtin.import_role": {"name": ROLE, "tasks_from": "preflight"}},
        {"bestviable.planner_memory.preflight": {"report": True}},
    ]
    looked = host(folder_of(tmp_path / "services"))
    looked["stack_host"]["found"][path] = []
    run = run_playbook(tmp_path, [{"hosts": "all", "gather_facts": False, "tasks": tasks}], hosts={"one": looked})
    sentence = f"archon_deprecation_inventory is {path}, which does not exist on the host; name the document"
    assert sentence in run.of_host("one"), run.output


def test_a_section_that_a_person_reset_is_mended_by_the_next_run(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "services")
    (folder / "archive/archon-20251201.yml").touch()
    path = folder / "SERVICE_INVENTORY.md"
    kept = {"one": host(folder, stands=False)}
    first = play(tmp_path, kept)
    assert first.rc == 0 and "changed=1 " in recap(first, "one"), first.output
    marked = path.read_text()
    assert "**Status**: DEPRECATED (2025-12-01)\n" in marked
    assert f"**Archive**: {folder}/archive/archon-20251201.yml\n" in marked

    path.write_text(marked.replace("DEPRECATED (2025-12-01)", "Running").replace("Knowledge", "Knowledge of old"))
    again = play(tmp_path, kept)
    assert again.rc == 0 and "changed=1 " in recap(again, "one"), again.output
    assert path.read_text() == marked.replace("Knowledge", "Knowledge of old")

    reader = host(folder, stands=False)
    reader["stack_host"]["markdown"] = False
    hosts = {
        **kept,
        "reader": reader,
        "disabled": host(folder, stands=False, archon_deprecation_enabled=False),
        "nowhere": host(folder, stands=False, archon_deprecation_inventory=""),
    }
    last = play(tmp_path, hosts, "--check")
    assert last.rc == 0 and "changed=0 " in recap(last, "one"), last.output
    assert "would install python3-markdown-it" in last.output and "changed=1 " in recap(last, "reader")
    for name in ("disabled", "nowhere"):
        assert "ok=1 " in recap(last, name) and "skipped=3 " in recap(last, name), last.output
    assert not (folder / "calls").exists(), "the engine was asked for something"

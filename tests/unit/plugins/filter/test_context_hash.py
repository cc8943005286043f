# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.bestviable.planner_memory.plugins.filter.context_hash import FilterModule, context_hash


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "valkey"
    (folder / "conf").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM debian:trixie-slim\n")
    (folder / "conf" / "a").write_text("one")
    return folder


def edit(context: Path) -> None:
    (context / "conf" / "a").write_text("two")


def rename(context: Path) -> None:
    (context / "conf" / "a").rename(context / "conf" / "b")


def add(context: Path) -> None:
    (context / "new").touch()


def make_executable(context: Path) -> None:
    (context / "conf" / "a").chmod(0o755)


def move_content(context: Path) -> None:
    (context / "conf" / "a").write_text("o")
    (context / "conf" / "b").write_text("ne")


@pytest.mark.parametrize("change", [edit, rename, add, make_executable, move_content])
def test_what_changes_the_image_changes_the_hash(context: Path, change: Callable[[Path], None]) -> None:
    before = context_hash(context)
    change(context)
    assert context_hash(context) != before


def test_build_arguments_belong_to_the_image(context: Path) -> None:
    assert context_hash(context, {"VERSION": "1"}) != context_hash(context, {"VERSION": "2"})
    assert context_hash(context, {"A": 1, "B": 2}) == context_hash(context, {"B": 2, "A": 1})
    assert context_hash(context, {}) == context_hash(context)


def test_leftovers_and_the_place_do_not_count(context: Path, tmp_path: Path) -> None:
    before = context_hash(str(context))
    (context / "extra-ca.crt").write_text("a host's own")
    (context / "__pycache__").mkdir()
    (context / "__pycache__" / "x.pyc").write_text("x")
    (context / "y.pyc").write_text("y")
    assert context_hash(context) == before
    assert context_hash(shutil.copytree(context, tmp_path / "elsewhere")) == before


def test_a_folder_without_dockerfile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnsibleFilterError, match="has no Dockerfile; name a folder of images/ as the context"):
        context_hash(tmp_path)


def test_a_link_to_what_is_gone_is_one_sentence(context: Path) -> None:
    (context / "stray").symlink_to("gone")
    with pytest.raises(AnsibleFilterError, match=r"stray cannot be read \(No such file or directory\); mend it, or"):
        context_hash(context)


def test_it_is_a_filter() -> None:
    assert FilterModule().filters() == {"context_hash": context_hash}

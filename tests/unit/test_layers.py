"""What tests/run starts for each layer and its arguments; the commands themselves are told and not run."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

RUN = Path(__file__).resolve().parents[1] / "run"
PARALLEL = "python -m pytest -n auto --dist loadfile --no-loadscope-reorder"
SERVERS = "python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder"
ALONE = "tests/contract/without_containers"
IMAGES = ["stack images"] * 4
TOOLS = ("python", "git", "ruff", "yamllint", "shellcheck", "ansible-lint", "molecule")

Layers = Callable[..., list[str]]


@pytest.fixture
def layers(tmp_path: Path) -> Layers:
    """``layers("unit", …)`` runs the script in a tree of its own; the commands, with what fails named by ``fails``."""
    (tmp_path / "tests").mkdir()
    shutil.copy(RUN, tmp_path / "tests/run")
    (tmp_path / "bin").mkdir()
    told = tmp_path / "told"
    for command in (*(f"bin/{name}" for name in TOOLS), "tests/sanity.sh", "stack"):
        file = tmp_path / command
        file.write_text(f'#!/bin/sh\necho "{file.name} $*" >>{told}\n[ "$FAILS" != {file.name} ]\n')
        file.chmod(0o755)

    def run(*arguments: str, fails: str = "") -> list[str]:
        told.write_text("")
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "FAILS": fails}
        done = subprocess.run(
            [tmp_path / "tests/run", *arguments], env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode != 0) == bool(fails), done.stderr
        lines = told.read_text().replace(str(tmp_path), "HERE").splitlines()
        found = ["stack images" if line.startswith("stack images") else line for line in lines]
        return [line for line in found if line.startswith(("python ", "stack "))]

    return run


@pytest.mark.parametrize(
    ("arguments", "runs"),
    [
        ([], f"{PARALLEL} tests/unit"),
        (["-k", "images"], f"{PARALLEL} tests/unit -k images"),
        (["--deselect", "tests/unit/a.py::test_b"], f"{PARALLEL} tests/unit --deselect tests/unit/a.py::test_b"),
        (["tests/unit/test_house.py"], f"{PARALLEL} tests/unit/test_house.py"),
        (["-x", "./tests/unit/a.py::test_b", "tests/unit/c"], f"{PARALLEL} -x ./tests/unit/a.py::test_b tests/unit/c"),
    ],
)
def test_unit_runs_its_folder_or_what_is_named(layers: Layers, arguments: list[str], runs: str) -> None:
    assert layers("unit", *arguments) == [runs]


def test_files_may_be_named_by_their_whole_path(layers: Layers, tmp_path: Path) -> None:
    assert layers("unit", f"{tmp_path}/tests/unit/a.py") == [f"{PARALLEL} HERE/tests/unit/a.py"]
    assert layers("contract", f"{tmp_path}/{ALONE}/a.py") == [f"{PARALLEL} HERE/{ALONE}/a.py"]


@pytest.mark.parametrize(
    ("arguments", "runs"),
    [
        ([], [*IMAGES, f"{PARALLEL} {ALONE}", f"{SERVERS} tests/contract --ignore={ALONE}"]),
        (["-k", "n8n"], [*IMAGES, f"{SERVERS} tests/contract -k n8n"]),
        (["-x", "tests/contract/a.py"], [*IMAGES, f"{SERVERS} -x tests/contract/a.py"]),
        (["tests/contract/a.py", f"{ALONE}/b.py"], [*IMAGES, f"{SERVERS} tests/contract/a.py {ALONE}/b.py"]),
        ([f"{ALONE}/b.py", "-x"], [f"{PARALLEL} {ALONE}/b.py -x"]),
        (["-k", "folder", f"{ALONE}/b.py"], [f"{PARALLEL} -k folder {ALONE}/b.py"]),
    ],
)
def test_contract_makes_images_where_they_are_needed(layers: Layers, arguments: list[str], runs: list[str]) -> None:
    assert layers("contract", *arguments) == runs


def test_what_fails_ends_the_run(layers: Layers) -> None:
    assert layers("contract", fails="stack") == ["stack images"]
    assert layers("contract", fails="python") == [*IMAGES, f"{PARALLEL} {ALONE}"]
    assert layers("molecule", fails="stack") == ["stack images"]


def test_all_leaves_no_test_out(layers: Layers) -> None:
    told = layers("all")
    assert sorted(told[:-1]) == sorted([*IMAGES, f"{PARALLEL} tests/unit", f"{PARALLEL} {ALONE}"])
    assert told[-1] == f"{SERVERS} tests/contract --ignore={ALONE}"
    assert layers("all", fails="stack")[-1] != told[-1]

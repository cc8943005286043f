# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""setup_collections.py and the embedded mode: the same plan as the module's, without a server and without Ansible."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.collections_law import EVERYTHING, OTHERWISE, SMALL
from tests.support.run_module import ModuleFailed, run_module

ROOT = Path(__file__).resolve().parents[4]
SCRIPT = ROOT / "roles/qdrant/files/setup_collections.py"
NAMES = ["agent_memories", "daily_threads", "doc_chunks", "events"]


Script = Callable[..., "Ended"]


class Ended(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def script(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Script:
    """The script in this process: its library is loaded once and not for every call."""
    for name in ("QDRANT_URL", "QDRANT_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    spec = importlib.util.spec_from_file_location("setup_collections", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(*args: str) -> Ended:
        try:
            code = module.main(list(args))
        except SystemExit as ended:
            code = ended.code
        return Ended(code, *capsys.readouterr())

    return run


def test_it_runs_by_itself(tmp_path: Path) -> None:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("QDRANT_", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--path", str(tmp_path / "store"), "--only", "events"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=clean,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "create collection events (1536 Cosine)"


def test_it_makes_the_specified_collections_once(script: Script, tmp_path: Path) -> None:
    folder = str(tmp_path / "store")
    predicted = script("--path", folder, "--check", "--diff")
    assert (predicted.returncode, os.path.exists(folder)) == (3, False)
    done = script("--path", folder)
    assert done.returncode == 0, done.stderr
    assert [line.removeprefix("would ") for line in predicted.stdout.splitlines() if line[0] not in "+-"] == (
        done.stdout.splitlines()
    )
    again = script("--path", folder)
    assert (again.returncode, again.stdout) == (0, "nothing to do\n")
    assert script("--path", folder, "--check").returncode == 0
    # The module, on the same folder and definitions, agrees.
    declared = [{"name": name, "vectors": {"size": 1536, "distance": "Cosine"}} for name in NAMES]
    assert run_module("qdrant_collection", {"path": folder, "collections": declared})["changed"] is False


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--url", "http://127.0.0.1:1"], 1, "GET http://127.0.0.1:1/collections got no answer"),
        (["--only", "nope"], 2, "--only is 'nope'"),
        (["--definitions", "/none/such"], 2, "/none/such cannot be read"),
        (["--path", "/dev/null/x"], 1, "which cannot be used"),
        (["--timeout", "0"], 2, "--timeout is 0; it is a number of seconds above 0"),
        (["--wait-timeout", "nan"], 2, "--wait-timeout is nan; it is 0 or more seconds"),
        (["--url", "ftp://127.0.0.1"], 1, "url is 'ftp://127.0.0.1'; Qdrant's REST interface is reached by http://"),
        (["--odd"], 2, "unrecognized arguments"),
    ],
)
def test_what_is_wrong_is_one_line_and_an_exit_code(script: Script, args: list[str], code: int, words: str) -> None:
    done = script(*args)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("qdrant_collections: []\nx: [", "cannot be read"),
        ("other: 1\n", "has no qdrant_collections"),
        ("- {name: a, vectorz: 1}\n", "a has the unknown key 'vectorz'"),
        ("- {name: a, vectors: {size: 0, distance: Dot}}\n", "a: vectors.size is 0"),
        ("- {name: a, state: gone}\n", "a: state is 'gone'; it is one of present, absent"),
        ("- {name: a, vectors: 3}\n", "a: vectors is 3; it is a dictionary"),
        ("- {name: a, metadata: [1]}\n", "a: metadata is [1]; it is a dictionary"),
        ("- {name: a, backup: perhaps}\n", "a: backup is 'perhaps'; it is true or false"),
        ("- {name: true}\n", "name is True; it is a text"),
        ("- {name: a, 5: x}\n", "a has the unknown key '5'"),
    ],
)
def test_wrong_definitions_are_one_line(script: Script, tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "definitions.yml"
    file.write_text(text)
    done = script("--path", str(tmp_path / "store"), "--definitions", str(file))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert words in done.stderr


def test_an_empty_value_is_no_word_for_losing_anything(script: Script, tmp_path: Path) -> None:
    file, folder = tmp_path / "definitions.yml", str(tmp_path / "store")
    file.write_text("- {name: 5, vectors: {size: 4, distance: Dot}, aliases: live, on_disk_payload: 'no'}\n")
    args = ("--path", folder, "--definitions", str(file))
    made = script(*args, "--only", "5")
    assert made.stdout.splitlines() == ["create collection 5 (4 Dot)", "create alias live of 5"]
    file.write_text("- {name: 5, vectors: {size: 4, distance: Dot}, state: , backup: , drop_old: , on_immutable: }\n")
    assert script(*args).stdout == "nothing to do\n"
    file.write_text(
        "- {name: 5, vectors: {size: 4, distance: Euclid}, on_immutable: rebuild, drop_old: true, backup: }\n"
    )
    for more in ((), ("--check",)):
        refused = script(*args, *more)
        assert refused.returncode == 1
        assert "the embedded mode has no snapshots; set backup: false" in refused.stderr


def test_a_key_over_plain_http_is_told_to_nobody(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", "canary")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = script("--url", "http://127.0.0.1:1")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)


def embedded(path: Path, check: bool = False, **params: Any) -> dict[str, Any]:
    return run_module("qdrant_collection", {"path": str(path), "name": "c", **params}, check=check)


def test_the_law_holds_for_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    for declared in (EVERYTHING, OTHERWISE):
        predicted = embedded(folder, check=True, **declared)
        real = embedded(folder, **declared)
        assert (real["changed"], real["diff"], real["actions"]) == (True, predicted["diff"], predicted["actions"])
        assert embedded(folder, **declared)["changed"] is False
    assert embedded(folder, state="absent")["actions"] == ["delete collection c (0 points)"]
    assert embedded(folder, state="absent")["changed"] is False


def test_aliases_and_info_take_a_folder_too(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    embedded(folder, vectors=SMALL)
    alias = {"path": str(folder), "name": "live", "collection": "c"}
    assert run_module("qdrant_alias", alias, check=True)["actions"] == ["create alias live of c"]
    assert run_module("qdrant_alias", alias)["changed"] is True
    assert run_module("qdrant_alias", alias)["changed"] is False
    found = run_module("qdrant_collection_info", {"path": str(folder)})
    assert (found["names"], found["aliases"], found["collections"]["c"]["points"]) == (["c"], {"live": "c"}, 0)
    assert run_module("qdrant_collection_info", {"path": str(tmp_path / "none")})["names"] == []
    assert not (tmp_path / "none").exists()


def test_a_rebuild_in_a_folder_needs_no_backup_and_keeps_the_points(tmp_path: Path) -> None:
    qdrant_client = pytest.importorskip("qdrant_client")
    folder = tmp_path / "store"
    embedded(folder, vectors=SMALL, aliases=["live"])
    local = qdrant_client.QdrantClient(path=str(folder))
    points = [qdrant_client.models.PointStruct(id=n, vector=[n, 1, 0, 0], payload={"n": n}) for n in range(5)]
    local.upsert("c", points)
    local.close()
    changed = {"vectors": {**SMALL, "distance": "Dot"}, "aliases": ["live"], "on_immutable": "rebuild"}
    with pytest.raises(ModuleFailed, match="the embedded mode has no snapshots; set backup: false"):
        embedded(folder, **changed)
    with pytest.raises(ModuleFailed, match="the embedded mode has no snapshots; set backup: false"):
        embedded(folder, check=True, **changed)
    assert embedded(folder, **changed, backup=False)["changed"] is True
    local = qdrant_client.QdrantClient(path=str(folder))
    assert local.count("live").count == 5
    local.close()
    assert embedded(folder, **changed, backup=False)["changed"] is False

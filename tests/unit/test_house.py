"""The rules of the house, read from the tree itself."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "ansible_collections.bestviable.planner_memory.plugins"
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
ACTIONS = {path.stem for path in (ROOT / "plugins/action").glob("*.py")}
# Module utilities from the top of the house to the ground: a file may import only from a lower floor.
GROUND = ("_docker", "_errors", "_http", "_reconcile")


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def own_imports(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            names.add(str(node.module)[len(PACKAGE) + 1 :])
    return names


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_its_unit_tests(module: str) -> None:
    kind = "action" if module in ACTIONS else "modules"
    assert (ROOT / f"tests/unit/plugins/{kind}/test_{module}.py").is_file()


@pytest.mark.parametrize("file", sorted((ROOT / "plugins/module_utils").rglob("*.py")), ids=lambda path: path.name)
def test_imports_go_one_way(file: Path) -> None:
    system = file.relative_to(ROOT / "plugins/module_utils").parts[0].removesuffix(".py")
    for name in own_imports(file):
        assert name.startswith("module_utils."), f"{file} reaches up to {name}"
        target = name.split(".")[1]
        assert target == system or target in GROUND, f"{file} imports a neighbour, {name}"
        if system in GROUND:
            assert GROUND.index(target) < GROUND.index(system)


@pytest.mark.parametrize("file", sorted((ROOT / "plugins/module_utils").rglob("*.py")), ids=lambda path: path.name)
def test_the_heavy_client_has_one_file(file: Path) -> None:
    assert ("qdrant_client" in file.read_text()) == (file.name == "sdk.py")


QDRANT = [name for name in MODULES if name.startswith("qdrant_")]


@pytest.fixture(scope="module")
def heavy_imports() -> dict[str, list[str]]:
    """What each module is the first to load, in one process for all of them."""
    ask = (
        "import importlib, json, sys; import tests.conftest\n"
        "heavy = ('qdrant_client', 'numpy', 'pydantic', 'httpx', 'grpc')\n"
        "found, known = {}, set()\n"
        f"for module in {QDRANT}:\n"
        f"    importlib.import_module('{PACKAGE}.modules.' + module)\n"
        "    found[module] = [name for name in heavy if name in sys.modules and name not in known]\n"
        "    known.update(found[module])\n"
        "print(json.dumps(found))"
    )
    asked = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(asked.stdout)


@pytest.mark.parametrize("module", QDRANT)
def test_no_heavy_import_on_a_modules_path(heavy_imports: dict[str, list[str]], module: str) -> None:
    assert heavy_imports[module] == []


@pytest.mark.parametrize("role", ROLES)
def test_defaults_equal_the_argument_specification(role: str) -> None:
    defaults = yaml.safe_load((ROOT / f"roles/{role}/defaults/main.yml").read_text()) or {}
    spec = yaml.safe_load((ROOT / f"roles/{role}/meta/argument_specs.yml").read_text())
    options = spec["argument_specs"]["main"].get("options", {})
    described = {name: option["default"] for name, option in options.items() if "default" in option}
    undocumented = set(defaults) - set(options)
    assert not undocumented, f"defaults without a specification: {sorted(undocumented)}"
    plain = {name: value for name, value in defaults.items() if "{{" not in str(value)}
    assert {name: described[name] for name in plain if name in described} == {
        name: value for name, value in plain.items() if name in described
    }
    shared = {"stack_"}
    assert all(name.startswith((f"{role}_", *shared)) for name in defaults)


def test_images_are_pinned_once_and_the_same_everywhere() -> None:
    run = {
        value
        for role in ROLES
        for name, value in (yaml.safe_load((ROOT / f"roles/{role}/defaults/main.yml").read_text()) or {}).items()
        # cloudflared is off by default, and pulled where it is not.
        if name.startswith(f"{role}_") and name.endswith("_image") and role != "cloudflared"
    }
    provided = yaml.safe_load((ROOT / "roles/images/defaults/main.yml").read_text())["images_wanted"]
    local = yaml.safe_load((ROOT / "inventories/local/group_vars/planner_memory/images.yml").read_text())[
        "images_wanted"
    ]
    assert len(run) == 6 and {image["name"] for image in provided} == run
    assert [image for image in local if not image.get("test_equipment")] == provided


def test_no_registry_host_and_no_path_of_a_workplace_stands_in_the_tree() -> None:
    # Spelled in pieces, so that this file does not name what it forbids.
    forbidden = re.compile(
        "|".join(["deb" + r"\.debian", "registry" + r"\.npmjs", "pypi" + r"\.org", "/wo" + "rk/", "/fa" + "rm/"])
    )
    for file in tracked_files():
        if file.suffix in {".py", ".yml", ".j2", ".md", ".sh", ".toml", ".txt", ".cfg", ".json"} or file.name in {
            "stack",
            "Dockerfile",
        }:
            assert not forbidden.search(file.read_text()), f"{file} names {forbidden.pattern}"


def test_no_source_file_outgrows_its_room() -> None:
    long = {
        str(file.relative_to(ROOT)): lines
        for file in tracked_files()
        if file.suffix == ".py" and (lines := len(file.read_text().splitlines())) > 500
    }
    assert not long

"""Valkey as its role describes it, in a container of the tests' own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import yaml

from tests.support.containers import Container, docker

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: bestviable.planner_memory.valkey, tasks_from: define}
    - ansible.builtin.debug: {msg: "{{ stack_projects | to_json }}"}
"""


def described(folder: Path, *, playbook: str = PLAYBOOK, **variables: Any) -> dict[str, Any]:
    """The project that the role hands to compose_stack, its definition parsed."""
    (folder / "play.yml").write_text(playbook)
    (folder / "ansible.cfg").write_text("")
    (folder / "vars.json").write_text(json.dumps({"stack_host": {"swap_mb": 0}, **variables}))
    binary = Path(sys.executable).parent / "ansible-playbook"
    done = subprocess.run(
        [str(binary), "-i", "localhost,", "-e", f"@{folder}/vars.json", str(folder / "play.yml")],
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    said = [line for line in done.stdout.splitlines() if line.startswith('    "msg": ')]
    if done.returncode != 0 or not said:
        raise RuntimeError(done.stdout + done.stderr)
    project = json.loads(json.loads(said[0].split(": ", 1)[1]))[0]
    return {**project, "definition": yaml.safe_load(project["definition"])}


def run(
    container: Callable[..., Container],
    project: dict[str, Any],
    folder: Path,
    *,
    image: Optional[str] = None,
    volume: Optional[str] = None,
    more: tuple[str, ...] = (),
) -> Container:
    """What Compose would run, but under a name, a port and a volume of the tests' own."""
    service = project["definition"]["services"]["valkey"]
    options = ["--user", service["user"], "--entrypoint", service["entrypoint"][0], "--read-only", "--tmpfs", "/tmp"]
    options += ["--cap-drop", "ALL", "--memory", str(service["mem_limit"]), "--health-cmd", "redis-cli ping"]
    options += ["--health-interval", "1s", *more]
    for file in project["files"]:
        path = folder / file["path"]
        path.write_text(file["content"])
        path.chmod(int(file["mode"], 8))
        if "owner" in file:
            os.chown(path, file["owner"], -1)
    for mount in service["volumes"]:
        source, rest = mount.split(":", 1)
        if source.startswith("./"):
            options += ["-v", f"{folder / source[2:]}:{rest}"]
        elif volume:
            options += ["-v", f"{volume}:{rest}"]
    for name, value in service["environment"].items():
        options += ["-e", f"{name}={value}"]
    args = [*service["entrypoint"][1:], *(str(word) for word in service["command"])]
    return container(image or service["image"], ports=[6379], args=args, options=options)


def ready(one: Container) -> Container:
    one.wait(lambda: docker("exec", one.name, "redis-cli", "ping", check=False) == "PONG")
    return one

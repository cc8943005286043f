"""Run a whole playbook, as a user would, against hosts that are this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Run:
    """What a run printed, and how it ended."""

    rc: int
    output: str

    def of_host(self, name: str) -> str:
        """The lines that name a host."""
        return "\n".join(line for line in self.output.splitlines() if f"[{name}]" in line)

    def refuses(self, name: str, sentence: str) -> None:
        """Check that a host failed for this one reason alone."""
        assert f"fatal: [{name}]" in self.of_host(name), self.output
        assert sentence in self.of_host(name)
        assert "things are wrong" not in self.of_host(name)


def run_preflight(folder: Path, role: str, hosts: Mapping[str, Any], **variables: Any) -> Run:
    """What a role says beforehand on each of the hosts that are made up of variables."""
    imported = {"name": f"bestviable.planner_memory.{role}", "tasks_from": "preflight"}
    tasks = [{"ansible.builtin.import_role": imported}, {"bestviable.planner_memory.preflight": {"report": True}}]
    plays = [{"hosts": "all", "gather_facts": False, "vars": variables, "tasks": tasks}]
    return run_playbook(folder, plays, hosts=hosts, ANSIBLE_CALLBACK_RESULT_FORMAT="json")


def run_playbook(
    folder: Path, plays: list[dict[str, Any]], *arguments: str, hosts: Optional[Mapping[str, Any]] = None, **env: str
) -> Run:
    """Write ``plays`` (JSON is YAML) into a folder and run them there with the collection of this checkout."""
    file = folder / "play.yml"
    file.write_text(json.dumps(plays))
    (folder / "ansible.cfg").touch()
    inventory = folder / "hosts.json"
    of_host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory.write_text(
        json.dumps({"all": {"hosts": {name: {**of_host, **more} for name, more in (hosts or {"one": {}}).items()}}})
    )
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory), str(file), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_ROLES_PATH": str(folder / "roles"),
            "ANSIBLE_INJECT_FACT_VARS": "false",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "1",
            **env,
        },
    )
    return Run(done.returncode, done.stdout + done.stderr)

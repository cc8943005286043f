# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Postgres and n8n as their roles describe them, with secrets in files: they work, and the engine shows no secret."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.containers import docker
from tests.support.playbook import run_playbook
from tests.support.run_module import run_module

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to the containers' users")
PASSWORD, KEY = "pg-canary-$ecret'1", "n8n-canary-key-0123456789"


class Stack:
    """Both projects under names of this test, and in networks of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tag = f"pm-contract-{secrets.token_hex(4)}"
        self.networks = [f"{self.tag}-inner", f"{self.tag}-edge"]

    def described(self, by_file: bool) -> list[dict[str, Any]]:
        dest = self.folder / "projects.json"
        roles = [
            {"ansible.builtin.import_role": {"name": f"bestviable.planner_memory.{role}", "tasks_from": "define"}}
            for role in ("postgres", "n8n")
        ]
        copy = {
            "ansible.builtin.copy": {"dest": str(dest), "content": "{{ stack_projects | to_json }}", "mode": "0600"}
        }
        values = {
            "stack_secrets": {"postgres_password": PASSWORD, "n8n_encryption_key": KEY},
            "stack_host": {"root": by_file},
            "stack_network_internal": self.networks[0],
            "stack_network_proxy": self.networks[1],
            "n8n_postgres_host": f"{self.tag}-postgres",
        }
        plays = [{"hosts": "all", "gather_facts": False, "vars": values, "tasks": [*roles, copy]}]
        run = run_playbook(self.folder, plays)
        assert run.rc == 0, run.output
        return [self.own(project) for project in json.loads(dest.read_text())]

    def own(self, project: dict[str, Any]) -> dict[str, Any]:
        name = f"{self.tag}-{project['name']}"
        text = project["definition"].replace(f"- {project['name']}.env", f"- {name}.env")
        model = yaml.safe_load(text)
        service = model["services"][project["name"]]
        service.update(container_name=name, ports=[], labels={"planner-memory.test": "contract"})
        for volume, about in model["volumes"].items():
            about["name"] = f"{self.tag}-{volume}"
        after = [f"{self.tag}-postgres"] if project["name"] == "n8n" else []
        return {**project, "name": name, "definition": yaml.safe_dump(model), "after": after}

    def run(self, projects: list[dict[str, Any]], check: bool = False) -> dict[str, Any]:
        params = {"projects": projects, "services_dir": str(self.folder / "services"), "pull": "never"}
        return run_module("compose_stack", {**params, "wait_timeout": 300}, check=check)

    def shown(self) -> str:
        return docker("inspect", f"{self.tag}-postgres", f"{self.tag}-n8n")

    def remove(self) -> None:
        names = [{"name": f"{self.tag}-{name}"} for name in ("n8n", "postgres")]
        gone = {"remove_volumes": True, "confirm_data_loss": [one["name"] for one in names]}
        params = {"projects": names, "services_dir": str(self.folder / "services"), "state": "absent"}
        run_module("compose_stack", {**params, **gone, "backup_dir": str(self.folder / "backups")})
        for network in self.networks:
            docker("network", "rm", network, check=False)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    one = Stack(tmp_path)
    for network in one.networks:
        docker("network", "create", "--label", "planner-memory.test=contract", network)
    try:
        yield one
    finally:
        one.remove()


def logs_in(stack: Stack) -> str:
    """Over the network, where the password is asked for."""
    query = "SELECT count(*) > 10 FROM information_schema.tables"
    name = f"{stack.tag}-postgres"
    psql = ["psql", "-h", name, "-U", "n8n", "-d", "n8ndb", "-Atc", query]
    return docker("exec", "-e", f"PGPASSWORD={PASSWORD}", name, *psql)


def test_secrets_move_from_the_environment_to_files_and_the_engine_no_longer_shows_them(stack: Stack) -> None:
    before, projects = stack.described(by_file=False), stack.described(by_file=True)
    stack.run(before)
    assert KEY in stack.shown(), "which this test would see"
    planned, done = stack.run(projects, check=True), stack.run(projects)
    assert (planned["actions"], planned["diff"]) == (done["actions"], done["diff"])
    assert "canary" not in json.dumps(done)
    assert "canary" not in stack.shown()
    assert logs_in(stack) == "t"
    config = json.loads(docker("exec", f"{stack.tag}-n8n", "cat", "/home/node/.n8n/config"))
    assert config["encryptionKey"] == KEY
    for name, owner in (("postgres/secrets/POSTGRES_PASSWORD", 999), ("n8n/secrets/N8N_ENCRYPTION_KEY", 1000)):
        about = (stack.folder / "services" / f"{stack.tag}-{name}").stat()
        assert (about.st_uid, about.st_mode & 0o777) == (owner, 0o400)
    assert not list((stack.folder / "services").glob("*/*.env")), "no secret stays where it is no longer read"
    assert stack.run(projects)["changed"] is False


def test_a_new_database_takes_its_password_from_the_file(stack: Stack) -> None:
    projects = stack.described(by_file=True)
    stack.run(projects)
    assert logs_in(stack) == "t"
    assert "canary" not in stack.shown()

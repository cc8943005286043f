# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles describe on hosts of every kind, rendered by Ansible in one run."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
ENGINE_20 = {"version": "20.10.24", "running": True, "socket_gid": 998}
DOUBLE = "planner-memory/service-double:0.1.0"
PUBLIC = {
    "memory-gateway": ("memory", 8090),
    "planner-engine": ("planner", 8091),
    "scheduler-engine": ("scheduler", 8092),
}
SERVICES = [*PUBLIC, "observer-agent"]
TUNNEL = "f70ff985-a4ef-4643-bbbc-4a0ed4fc8415"
TOKEN = base64.b64encode(json.dumps({"a": "b0", "t": TUNNEL, "s": "c2VjcmV0"}).encode()).decode()
VALKEY_PASSWORD = "a/password: of 16"
# Where nobody asks for them: each is a template that takes its time.
NO_SERVICES: dict[str, Any] = {"services_enabled": []}
HOSTS: dict[str, dict[str, Any]] = {
    "plain": {"stack_host": {"swap_mb": 0, "engine": ENGINE_20}},
    "swap": {
        "stack_host": {"swap_mb": 200, "engine": {**ENGINE_20, "version": "26.1.5"}},
        "traefik_network_gateway": "10.203.10.1",
    },
    "small_swap": {
        "stack_host": {"swap_mb": 199, "engine": {**ENGINE_20, "socket_gid": 0}},
        "valkey_appendonly": False,
        **NO_SERVICES,
    },
    "half": {
        "stack_host": {"swap_mb": 0, "engine": ENGINE_20},
        "valkey_maxmemory": "80mb",
        "valkey_password": VALKEY_PASSWORD,
        "services_valkey_url": "{{ valkey_secret_url }}",
    },
    "double": {"stack_host": {"swap_mb": 0, "engine": ENGINE_20}, "valkey_maxmemory": "400mb", **NO_SERVICES},
    "operator": {
        "stack_host": {"swap_mb": 0, "engine": ENGINE_20},
        "stack_environment": "production",
        "stack_domain": "example.org",
        "stack_network_proxy": "edge",
        "stack_network_internal": "inner",
        "valkey_memory_limit": "512m",
        "services_enabled": ["planner-engine", "scheduler-engine"],
        "services_images": {"scheduler-engine": "registry.example.org/scheduler:2"},
        "services_build_contexts": {"planner-engine": "/srv/planner"},
        "services_overrides": {
            "planner-engine": {
                "memory_limit": "300m",
                "writable": True,
                "user": "1000:1000",
                "secret_files": ["POSTGRES_PASSWORD", "QDRANT_API_KEY"],
            },
            "scheduler-engine": {"environment": {"GREETING": 'a "$HOME" b'}},
        },
    },
    "token": {
        "stack_host": {"swap_mb": 0, "engine": {**ENGINE_20, "version": "26.1.5"}},
        "cloudflared_manage": True,
        "cloudflared_subnet": "10.203.10.0/24",
        "traefik_tunnel_address": "10.203.10.254",
        "traefik_network_gateway": "10.203.10.1",
        **NO_SERVICES,
    },
    "config": {
        "stack_host": {"swap_mb": 0, "engine": ENGINE_20},
        "cloudflared_manage": True,
        "cloudflared_rules": "local",
        "cloudflared_origin_request": {"connectTimeout": "10s", "noTLSVerify": True},
        "cloudflared_public_services": "{{ services_public }}",
    },
    "rules_only": {
        "stack_host": {"swap_mb": 0, "engine": ENGINE_20},
        "cloudflared_rules": "local",
        "cloudflared_public_services": "{{ services_public }}",
        "stack_secrets": {},
    },
    "no_longer": {
        "stack_host": {
            "engine": ENGINE_20,
            "kept_projects": ["cloudflared", "planner-engine", "somebody-elses"],
        },
        "stack_services_dir": "/srv",
        **NO_SERVICES,
    },
    "bare": {"stack_host": {"engine": {"version": None, "running": False, "socket_gid": None}}},
}

# Describing a second time adds nothing: one service everywhere, all of them on one host.
PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: bestviable.planner_memory.valkey, tasks_from: define}
    - ansible.builtin.import_role: {name: bestviable.planner_memory.traefik, tasks_from: define}
    - ansible.builtin.import_role: {name: bestviable.planner_memory.services, tasks_from: define}
    - ansible.builtin.import_role: {name: bestviable.planner_memory.valkey, tasks_from: define}
    - ansible.builtin.import_role: {name: bestviable.planner_memory.cloudflared, tasks_from: define}
    - ansible.builtin.import_role: {name: bestviable.planner_memory.services, tasks_from: define}
      when: inventory_hostname == 'plain'
    - ansible.builtin.debug:
        msg: "{{ {inventory_hostname: stack_projects} | to_json }}"
"""


def render(folder: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Host -> project -> {definition (parsed), env, files}."""
    common = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "stack_environment": "local",
        "services_images": dict.fromkeys(SERVICES, DOUBLE),
        "stack_secrets": {
            "postgres_password": "pg$ecret",
            "openrouter_api_key": "or-key",
            "google_client_id": "google",
            "cloudflare_tunnel_token": TOKEN,
        },
    }
    (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": HOSTS, "vars": common}}))
    (folder / "ansible.cfg").write_text("")
    (folder / "play.yml").write_text(PLAYBOOK)
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", str(folder / "hosts.json"), str(folder / "play.yml")],
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_INVENTORY_ENABLED": "ansible.builtin.yaml",
            "ANSIBLE_FORKS": "2",
            "ANSIBLE_LOCAL_TEMP": str(folder / "local"),
            "ANSIBLE_REMOTE_TEMP": str(folder / "remote"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = [json.loads(line.split(": ", 1)[1]) for line in done.stdout.splitlines() if line.startswith('    "msg": ')]
    found = {}
    for host, projects in [pair for message in said for pair in json.loads(message).items()]:
        assert len({project["name"] for project in projects}) == len(projects), "a project is described twice"
        found[host] = {
            project["name"]: {**project, "definition": yaml.safe_load(project.get("definition", ""))}
            for project in projects
        }
    assert sorted(found) == sorted(HOSTS)
    return found

"""Mistakes are told in one sentence each, all at once, before anything is touched."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine_socket import AnswersOnSocket, served

ROOT = Path(__file__).resolve().parents[3]


class OldEngine(AnswersOnSocket):
    """An engine of 2020 with nothing in it."""

    def answer(self, path: str) -> tuple[int, Any]:
        return 200, {"/version": {"Version": "19.03.8", "ApiVersion": "1.40"}, "/info": {}}.get(path, [])


@pytest.fixture(scope="module")
def old_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = str(tmp_path_factory.mktemp("engine") / "docker.sock")
    with served(OldEngine(path)):
        yield f"unix://{path}"


def play(extra: dict[str, Any], *options: str, engine: str = "") -> subprocess.CompletedProcess[str]:
    """site.yml in check mode on this machine: it reads, and has no way to write."""
    binary = Path(sys.executable).parent / "ansible-playbook"
    command = [str(binary), "-i", "inventories/local", "site.yml", "--check", "-e", json.dumps(extra), *options]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    if engine:
        environment["DOCKER_HOST"] = engine
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def taken_port() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


@pytest.fixture(scope="module")
def refusal(
    taken_port: int, old_engine: str, tmp_path_factory: pytest.TempPathFactory
) -> subprocess.CompletedProcess[str]:
    services_dir = tmp_path_factory.mktemp("refused") / "services"
    done = play(
        {
            "stack_services_dir": str(services_dir),
            "stack_timezone": "Europe/Berln",
            "valkey_image": "",
            "n8n_image": "",
            "traefik_socket_proxy_image": "",
            "valkey_memroy_limit": "448m",
            "valkey_memory_limit": "200x",
            "valkey_port": taken_port,
            "valkey_password": "too-short",
            "valkey_username": "default",
            "valkey_uid": 0,
            "valkey_synchronous_updates": "always",
            "valkey_stop_grace_period": "0s",
            "valkey_disabled_commands": ["FLUSHALL", "Config", "FLUSHAL"],
            "services_images": {"memory-gateway": "planner-memory/service-double:0.1.0"},
            "schema_login_host": "127.0.0.2",
            "schema_login_port": 1,
            "schema_login_password": "of-no-use",
            "docker_min_free_mb": 999_999_999,
            "docker_swap_file": "lots",
            "docker_swap_file_path": "swap file",
            "services_overrides": {
                "scheduler-engine": {"environment": {"GOOGLE_REDIRECT_URI": "https://x.org/cb"}},
                "planner-engine": {
                    "host": "memory.bestviable.com",
                    "user": "planner",
                    "secret_files": ["POSTGRES_PASSWORD", "NO_SUCH_SECRET"],
                },
                "observer-agent": {"host": "observer.bestviable.com"},
                "memory-gateway": {"port": "http", "memory_limit": "200"},
                "coda-mcp": {"public": True, "host": "", "environment": {}},
            },
            "traefik_trusted_proxies": ["128.0.0.0/1", "cloudflared"],
            "networking_trusted_interfaces": ["not an interface"],
            "watchdog_max_restarts": 0,
            "archon_deprecation_date": "2025-13-01",
            "archon_deprecation_archive_date": "yesterday",
            "archon_deprecation_archive_dir": "archive",
            "archon_deprecation_reason": " ",
            "service_inventory_path": "SERVICE_INVENTORY.md",
        },
        engine=old_engine,
    )
    assert not services_dir.exists(), "a refused run made a directory"
    return done


@pytest.mark.parametrize(
    "words",
    [
        ["valkey_memroy_limit", "valkey_memory_limit"],
        ["valkey_memory_limit is '200x'", "such as 448m"],
        ["stack_timezone is 'Europe/Berln'", "did you mean Europe/Berlin?"],
        ["valkey_image is empty", "such as valkey/valkey:8.1.1"],
        ["n8n_image is empty", "set n8n_manage to false"],
        ["traefik_socket_proxy_image is ''", "name an image for each"],
        ["is taken by", "pid", "valkey_port"],
        ["valkey_password has 9 characters", "give at least 16"],
        ["valkey_username is 'default'", "such as planner"],
        ["valkey_uid is 0", "such as 999"],
        ["valkey_synchronous_updates is 'always'", "write auto, true or false"],
        ["valkey_stop_grace_period is '0s'", "such as 30s"],
        ["valkey_disabled_commands names CONFIG", "write CONFIG|SET"],
        ["valkey_disabled_commands names FLUSHAL,", "correct the name"],
        ["planner-engine", "services_images"],
        ["docker_min_free_mb is 999999999", "make room"],
        ["docker_swap_file is 'lots'", "such as 1g"],
        ["docker_swap_file_path is 'swap file'", "/var/lib/planner-memory/swapfile"],
        ["GOOGLE_REDIRECT_URI of scheduler-engine is 'https://x.org/cb'", "/oauth/callback; write that"],
        ["memory-gateway and planner-engine have the same host memory.bestviable.com", "change one"],
        ["observer-agent is internal (public is false)", "take the host out"],
        ["coda-mcp is public and has no host", "or say public: false"],
        ["secret_files names planner-engine: NO_SUCH_SECRET", "add it there"],
        ["secret_files of planner-engine (planner)", "write user as a number"],
        ["traefik_trusted_proxies names 128.0.0.0/1", "cloudflared alone"],
        ["traefik_trusted_proxies names 'cloudflared', which is no address", "such as 10.203.10.1"],
        ["port of memory-gateway is 'http'", "write a number"],
        ["memory_limit of memory-gateway is '200'", "at least 6m"],
        ["networking_trusted_interfaces names 'not an interface'", "such as wg0"],
        ["watchdog_max_restarts is 0", "set watchdog_enabled to false"],
        ["archon_deprecation_date is '2025-13-01'", "no date; write one as YYYY-MM-DD"],
        ["archon_deprecation_archive_date is 'yesterday'", "no date; write one as YYYYMMDD"],
        ["archon_deprecation_archive_dir is 'archive'", "not an absolute path"],
        ["archon_deprecation_reason is empty", "say why"],
        ["service_inventory_path is 'SERVICE_INVENTORY.md'", "not an absolute path", "leave it empty"],
        ["engine 19.03.8 is too old", "20.10", "upgrade it yourself"],
        ["schema_login_host is 127.0.0.2", "Connection refused", "correct address"],
    ],
    ids=[
        "unknown variable",
        "limit",
        "time zone",
        "cache without image",
        "n8n without image",
        "Traefik without image",
        "port",
        "password",
        "user",
        "user's number",
        "synchronous updates",
        "time to stop",
        "needed command",
        "unknown command",
        "image",
        "space",
        "swap",
        "path of the swap",
        "redirect",
        "host twice",
        "internal with host",
        "public without host",
        "lost secret file",
        "secret file of a named user",
        "proxies",
        "odd proxy",
        "port of a service",
        "limit of a service",
        "interface",
        "watchdog",
        "archon's date",
        "archon's archive date",
        "archon's archive",
        "archon's reason",
        "the inventory's path",
        "engine",
        "postgres",
    ],
)
def test_one_run_tells_every_mistake(refusal: subprocess.CompletedProcess[str], words: list[str]) -> None:
    assert refusal.returncode != 0
    sentences = [line for line in refusal.stdout.splitlines() if words[0] in line]
    assert any(all(word in line for word in words) for line in sentences), refusal.stdout


def test_no_secret_is_told(refusal: subprocess.CompletedProcess[str]) -> None:
    assert "too-short" not in refusal.stdout + refusal.stderr


def test_nothing_ran_after_the_refusal(refusal: subprocess.CompletedProcess[str]) -> None:
    assert "Secrets |" not in refusal.stdout and "Compose | Bring up" not in refusal.stdout


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--start-at-task", "Compose | Bring up what differs"], "begin at the first task, without --start-at-task"),
        (["--skip-tags", "preflight,always", "--tags", "valkey"], "leave --skip-tags always out"),
    ],
)
def test_what_the_roles_describe_without_host_and_secrets_is_not_brought_up(
    options: list[str], sentence: str, tmp_path: Path, old_engine: str
) -> None:
    done = play({"stack_services_dir": str(tmp_path)}, *options, engine=old_engine)
    assert done.returncode == 2, done.stdout
    assert f"so nothing is brought up: {sentence}" in done.stdout


@pytest.mark.parametrize("playbook", ["site.yml", "playbooks/verify.yml"])
def test_an_inventory_without_the_group_is_not_taken_for_a_run_with_nothing_to_do(playbook: str) -> None:
    binary = Path(sys.executable).parent / "ansible-playbook"
    command = [str(binary), "-i", "localhost,", playbook, "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert "the inventory has no host in group planner_memory; put the host into it" in done.stderr

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built images keep the official ones' interface."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import requests

from tests.support.containers import Container, docker

VALKEY = "valkey/valkey:8.1.1"
POSTGRES = "postgres:17"
N8N = "n8nio/n8n:2.40.7"
TRAEFIK = "traefik:v3.7.15"
REGISTRY = "registry:2"
DOUBLE = "planner-memory/service-double:0.1.0"

Run = Callable[..., Container]


def needs(image: str) -> pytest.MarkDecorator:
    found = subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False)
    return pytest.mark.skipif(found.returncode != 0, reason=f"{image} is not on this host")


def said(container: Container, *argv: str) -> str:
    """Like ``exec``, for where failing only means not yet."""
    return docker("exec", container.name, *argv, check=False)


def get(container: Container, port: int, path: str) -> requests.Response:
    return requests.get(f"http://127.0.0.1:{container.port(port)}{path}", timeout=60)


@pytest.fixture(scope="module")
def valkey(container: Run) -> Container:
    one = container(VALKEY, ports=[6379], args=["--maxmemory", "64mb", "--appendonly", "yes"])
    one.wait(lambda: said(one, "redis-cli", "ping") == "PONG")
    return one


@needs(VALKEY)
class TestValkey:
    def test_it_is_8_1_and_takes_options(self, valkey: Container) -> None:
        assert "valkey_version:8.1" in valkey.exec("valkey-cli", "info", "server")
        assert valkey.exec("redis-cli", "config", "get", "maxmemory").split() == ["maxmemory", str(64 * 1024 * 1024)]

    def test_it_dropped_root_and_keeps_data_in_data(self, valkey: Container) -> None:
        assert "Uid:\t999" in valkey.exec("cat", "/proc/1/status")
        assert valkey.exec("stat", "-c", "%U", "/data/appendonlydir") == "valkey"
        assert valkey.inspect()["Config"]["WorkingDir"] == "/data"

    def test_the_network_is_answered_without_password(self, container: Run, valkey: Container) -> None:
        address = valkey.inspect()["NetworkSettings"]["IPAddress"]
        assert (
            docker("run", "--rm", "--label", "planner-memory.test=contract", VALKEY, "redis-cli", "-h", address, "ping")
            == "PONG"
        )

    def test_it_runs_as_a_user_read_only_without_capabilities(self, container: Run) -> None:
        one = container(
            VALKEY, options=["--user", "999:999", "--read-only", "--cap-drop", "ALL", "--tmpfs", "/data:uid=999"]
        )
        one.wait(lambda: said(one, "redis-cli", "ping") == "PONG")

    def test_it_stops_when_told_to(self, container: Run) -> None:
        one = container(VALKEY)
        one.wait(lambda: said(one, "redis-cli", "ping") == "PONG")
        assert one.stop() == 0


@pytest.fixture(scope="module")
def init_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("init")
    (folder / "1.sql").write_text("CREATE TABLE seeded (n integer); INSERT INTO seeded VALUES (1);")
    (folder / "2.sh").write_text('psql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "INSERT INTO seeded VALUES (2)"\n')
    subprocess.run(
        ["gzip", "-n"], input=b"INSERT INTO seeded VALUES (3);", stdout=(folder / "3.sql.gz").open("wb"), check=True
    )
    (folder / "password").write_text("it's a 'secret'\n")
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def postgres(container: Run, init_folder: Path) -> Container:
    one = container(
        POSTGRES,
        env={
            "POSTGRES_USER": "n8n",
            "POSTGRES_DB": "n8ndb",
            "POSTGRES_PASSWORD_FILE": "/docker-entrypoint-initdb.d/password",
            "POSTGRES_INITDB_ARGS": "--data-checksums --locale=C.UTF-8",
        },
        ports=[5432],
        options=["-v", f"{init_folder}:/docker-entrypoint-initdb.d:ro"],
        args=["-c", "max_connections=33"],
    )
    one.wait(lambda: "accepting" in said(one, "pg_isready", "-h", "127.0.0.1", "-U", "n8n", "-d", "n8ndb"))
    return one


@needs(POSTGRES)
class TestPostgres:
    def rows(self, postgres: Container, query: str, **login: Any) -> list[Any]:
        given = {"user": "n8n", "dbname": "n8ndb", "password": "it's a 'secret'", **login}
        connection = psycopg2.connect(host="127.0.0.1", port=postgres.port(5432), connect_timeout=60, **given)
        try:
            with connection.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchall()
        finally:
            connection.close()

    def test_it_is_17_with_the_options_given(self, postgres: Container) -> None:
        assert self.rows(postgres, "SHOW server_version")[0][0].startswith("17.")
        assert self.rows(postgres, "SHOW max_connections") == [("33",)]
        assert self.rows(postgres, "SHOW data_checksums") == [("on",)]

    def test_what_lies_in_the_init_folder_ran_in_order(self, postgres: Container) -> None:
        assert self.rows(postgres, "SELECT n FROM seeded") == [(1,), (2,), (3,)]

    def test_the_network_needs_the_password(self, postgres: Container) -> None:
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            self.rows(postgres, "SELECT 1", password="wrong")
        assert "SCRAM-SHA-256" in self.rows(postgres, "SELECT rolpassword FROM pg_authid WHERE rolname = 'n8n'")[0][0]

    def test_it_dropped_root_and_keeps_data_where_the_official_one_does(self, postgres: Container) -> None:
        assert "Uid:\t999" in postgres.exec("cat", "/proc/1/status")
        assert postgres.exec("stat", "-c", "%U %a", "/var/lib/postgresql/data") == "postgres 700"

    def test_a_restart_keeps_the_data_and_runs_no_init_again(self, postgres: Container) -> None:
        docker("restart", postgres.name)
        postgres.wait(lambda: bool(self.rows(postgres, "SELECT 1")))
        assert self.rows(postgres, "SELECT count(*) FROM seeded") == [(3,)]

    def test_without_password_it_says_so(self, container: Run) -> None:
        one = container(POSTGRES)
        one.wait(lambda: one.inspect()["State"]["Running"] is False)
        assert "POSTGRES_PASSWORD is empty; give it" in one.logs()


@needs(TRAEFIK)
def test_traefik_takes_options_as_arguments_and_runs_without_root(container: Run) -> None:
    one = container(
        TRAEFIK,
        args=["--ping=true", "--entrypoints.web.address=:80", "--ping.entrypoint=web"],
        ports=[80],
        options=[
            "--user",
            "65532:65532",
            "--cap-drop",
            "ALL",
            "--read-only",
            "--security-opt",
            "no-new-privileges:true",
        ],
    )
    one.wait(lambda: get(one, 80, "/ping").text == "OK")
    assert "Version:      3.7" in docker("run", "--rm", "--label", "planner-memory.test=contract", TRAEFIK, "version")


@needs(REGISTRY)
def test_what_is_pushed_to_the_registry_is_pulled_from_it(container: Run) -> None:
    one = container(REGISTRY, ports=[5000])
    one.wait(lambda: get(one, 5000, "/v2/").status_code == 200)
    name = f"127.0.0.1:{one.port(5000)}/contract/base:1"
    docker("tag", "debian:trixie-slim", name)
    try:
        docker("push", "--quiet", name)
        docker("rmi", name)
        docker("pull", "--quiet", name)
        assert get(one, 5000, "/v2/contract/base/tags/list").json()["tags"] == ["1"]
    finally:
        docker("rmi", name, check=False)


@needs(DOUBLE)
def test_the_double_runs_read_only_without_root_and_stops_when_told_to(container: Run) -> None:
    one = container(
        DOUBLE,
        env={"SERVICE_NAME": "memory-gateway"},
        ports=[8090],
        options=["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"],
    )
    one.wait(lambda: get(one, 8090, "/health").status_code == 200)
    one.exec("curl", "-f", "http://localhost:8090/health")
    assert get(one, 8090, "/").json()["note"] == "test equipment, not the real service"
    assert "Uid:\t10001" in one.exec("cat", "/proc/1/status")
    assert one.stop() == 0


@needs(N8N)
def test_n8n_has_its_commands_its_user_and_its_folder(container: Run) -> None:
    one = container(N8N, options=["--entrypoint", "sleep"], args=["300"])
    assert one.exec("n8n", "--version") == "2.40.7"
    assert one.exec("node", "--version").startswith("v24.")
    assert one.exec("id", "-u") == "1000"
    assert one.exec("stat", "-c", "%U %a", "/home/node/.n8n") == "node 700"
    assert one.inspect()["Config"]["ExposedPorts"] == {"5678/tcp": {}}
    assert one.exec("find", "/opt/n8n", "-name", "*.map", "-o", "-name", "*.d.ts") == ""

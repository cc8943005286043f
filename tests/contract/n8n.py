"""One live n8n with Postgres for all contract tests of a session, set up by the module under test.

It runs with the environment and the memory that the role gives it, in the role's image or the one that N8N_IMAGE names.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.containers import Container, docker
from tests.support.run_module import ModuleFailed, run_module
from tests.support.workflows import rendered, role_variables, role_workflows

EMAIL = "owner@example.com"
PASSWORD = "Canary-owner-1"
DATABASE_PASSWORD = "canary-database"
IMAGE = os.environ.get("N8N_IMAGE") or role_variables()["n8n_image"]
LIMIT = role_variables()["n8n_memory_limit"]
ENVIRONMENT = {
    **rendered(
        "{{ n8n_own_environment }}",
        n8n_postgres_host="postgres",
        n8n_postgres_database="n8ndb",
        n8n_postgres_user="n8n",
        n8n_timezone="Etc/UTC",
    ),
    "DB_POSTGRESDB_PASSWORD": DATABASE_PASSWORD,
    "N8N_ENCRYPTION_KEY": "contract-encryption-key",
}
ROLES = Path(__file__).resolve().parents[2] / "roles"
MIGRATIONS = ROLES / "schema" / "files" / "migrations"
# What the role's definition mounts beside the volume, and where.
SLACK_TYPE = "SlackIncomingWebhook.credentials.js"
MOUNTS = {
    "hide-headers.js": ENVIRONMENT["EXTERNAL_HOOK_FILES"],
    SLACK_TYPE: f"{ENVIRONMENT['N8N_CUSTOM_EXTENSIONS']}/{SLACK_TYPE}",
}


@dataclass
class Rig:
    """``setup`` holds what n8n_owner answered on the fresh server: in check mode, for real, and once more.

    ``starting`` holds what n8n_workflow said while n8n brought its database up to date.
    """

    url: str
    postgres: Container
    state_dir: Path
    setup: list[dict[str, Any]] = field(default_factory=list)
    starting: list[str] = field(default_factory=list)

    @property
    def key_file(self) -> str:
        return str(self.state_dir / "api_key")

    @property
    def connection(self) -> dict[str, Any]:
        return {"url": self.url, "api_key_file": self.key_file}

    @property
    def owner(self) -> dict[str, Any]:
        return {**self.connection, "email": EMAIL, "password": PASSWORD, "wait_timeout": 400}

    @property
    def login(self) -> dict[str, Any]:
        """The owner's session, kept: n8n takes five logins a minute."""
        return {"owner_email": EMAIL, "owner_password": PASSWORD, "session_file": str(self.state_dir / "session")}

    @property
    def credential(self) -> dict[str, Any]:
        return {**self.connection, "state_file": str(self.state_dir / "credentials.json")}

    def api(self, method: str, path: str, **kwargs: Any) -> Any:
        headers = {"X-N8N-API-KEY": Path(self.key_file).read_text(encoding="utf-8").strip()}
        answer = requests.request(method, f"{self.url}/api/v1{path}", headers=headers, timeout=30, **kwargs)
        assert answer.status_code < 400, answer.text
        return answer.json()

    def hook(self, path: str, **kwargs: Any) -> requests.Response:
        return requests.post(f"{self.url}/webhook/{path}", timeout=30, **kwargs)

    def sql(self, query: str) -> str:
        return self.postgres.exec("psql", "-U", "n8n", "-d", "n8ndb", "-v", "ON_ERROR_STOP=1", "-qtAc", query)


def postgres_credential(name: str) -> dict[str, Any]:
    data = {"host": "postgres", "port": 5432, "database": "n8ndb", "user": "n8n", "ssl": "disable"}
    return {"name": name, "type": "postgres", "data": {**data, "password": DATABASE_PASSWORD}}


def role_workflow(name: str, **variables: Any) -> dict[str, Any]:
    """A workflow of the role, as Ansible renders it, that anybody may call and that alerts nobody."""
    unset = {
        "n8n_manage": False,
        "n8n_webhook_auth": False,
        "n8n_slack_webhook_url": "http://127.0.0.1:9/services/none",
    }
    return role_workflows(name, **{**unset, **variables})[name]


_running: list[Rig] = []


@pytest.fixture(scope="session")
def n8n(
    container: Callable[..., Container], request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rig]:
    if not _running:
        network = f"pm-contract-n8n-{secrets.token_hex(3)}"
        docker("network", "create", network)
        request.config.add_cleanup(lambda: _clean(network))
        _running.append(_start(container, network, tmp_path_factory.mktemp("n8n")))
    yield _running[0]


def _start(container: Callable[..., Container], network: str, state_dir: Path) -> Rig:
    postgres = container(
        "postgres:17",
        env={"POSTGRES_USER": "n8n", "POSTGRES_DB": "n8ndb", "POSTGRES_PASSWORD": DATABASE_PASSWORD},
        options=["--network", network, "--network-alias", "postgres"],
    )
    ready = ("exec", postgres.name, "pg_isready", "-h", "127.0.0.1", "-U", "n8n")
    postgres.wait(lambda: "accepting" in docker(*ready, check=False))
    rig = Rig(serve(container, network), postgres, state_dir)
    rig.starting = _while_it_starts(rig)
    rig.setup.append(run_module("n8n_owner", rig.owner, check=True))
    rig.setup.append(run_module("n8n_owner", rig.owner))
    rig.setup.append(run_module("n8n_owner", rig.owner))
    for migration in sorted(MIGRATIONS.glob("*.sql")):
        rig.sql(migration.read_text(encoding="utf-8"))
    return rig


def serve(container: Callable[..., Container], network: str, **environment: str) -> str:
    """Another n8n on the network; its address on this machine."""
    options = ["--network", network, "--memory", LIMIT]
    for file, target in MOUNTS.items():
        options += ["-v", f"{ROLES}/n8n/files/{file}:{target}:ro"]
    server = container(IMAGE, env={**ENVIRONMENT, **environment}, ports=[5678], options=options)
    return f"http://127.0.0.1:{server.port(5678)}"


def _while_it_starts(rig: Rig) -> list[str]:
    """What n8n_workflow says of an n8n that is still starting, until it is ready."""
    said: list[str] = []
    deadline = time.monotonic() + 400
    while time.monotonic() < deadline:
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{rig.url}/healthz/readiness", timeout=5).ok:
                break
            try:
                run_module("n8n_workflow", {"url": rig.url, "api_key": "not-yet", "workflows": []})
            except ModuleFailed as failed:
                said.append(str(failed))
        time.sleep(0.2)
    return said


def _clean(network: str) -> None:
    for name in docker("ps", "-aq", "--filter", f"network={network}", check=False).split():
        docker("rm", "-f", "-v", name, check=False)
    docker("network", "rm", network, check=False)

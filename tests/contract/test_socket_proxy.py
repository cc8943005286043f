# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traefik's way to the Docker engine, as the role describes it: what passes, what does not, and that it suffices."""

from __future__ import annotations

import copy
import http.server
import json
import secrets
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.support.containers import Container, docker
from tests.support.playbook import run_playbook
from tests.support.run_module import run_module

DOUBLE = "planner-memory/service-double:0.1.0"
SOCKET = "/var/run/docker.sock"
READS = """
GET /_ping
HEAD /_ping
GET /v1.41/_ping
GET /version
GET /v1.24/version
GET /containers/json
GET /v1.41/containers/json?all=1
GET /v1.41/containers/0a1b2c/json
GET /containers/memory-gateway/json
GET /v1.41/events?filters=%7B%7D
"""
VERBS = ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get")
OF_A_CONTAINER = """
POST exec start stop kill restart update rename attach?stream=1 wait
GET archive?path=/ export logs?stdout=1 top changes attach/ws stats
PUT archive?path=/
"""
OF_THE_ENGINE = """
POST auth build commit containers/create containers/prune exec/x/start images/create volumes/create networks/create
GET info images/json images/get volumes networks networks/x secrets secrets/x configs swarm nodes services plugins
GET system/df session
GET exec/x/json containers /containers/json containers//json containers/json/ v1.41/version containers/../info
GET containers/%2e%2e/info containers/x%2farchive/json containers/x/../y/archive/json _ping/../info events/../info
DELETE containers/x?force=1 volumes/x images/x networks/x
"""
LET_THROUGH = READS.strip().splitlines()
REFUSED = [
    *(f"{verb} /v1.41/{path}" for verb in VERBS for path in ("containers/json", "_ping", "containers/x/json")),
    *(
        f"{line.split()[0]} /v1.41/containers/x/{what}"
        for line in OF_A_CONTAINER.strip().splitlines()
        for what in line.split()[1:]
    ),
    *(f"{line.split()[0]} /v1.41/{what}" for line in OF_THE_ENGINE.strip().splitlines() for what in line.split()[1:]),
    *(
        f"GET {path}"
        for path in ("/", "//info", "/info", "/V1.41/version", "/v2/version", "http://docker/info", "/_ping%00")
    ),
]


class Recorder(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """An engine that would do anything, and notes what reaches it."""

    daemon_threads = True

    def __init__(self, path: str) -> None:
        super().__init__(path, self.Handler)
        self.seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self.answer
            raise AttributeError(name)

        def answer(self) -> None:
            self.server.seen.append(f"{self.command} {self.path}")  # type: ignore[attr-defined]
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Nothing: a test's output is its verdict."""

        def address_string(self) -> str:
            return "unix"


class Edge:
    """The role's own project, under names of this test, and seeing containers of this test alone."""

    def __init__(self, folder: Path, described: dict[str, Any], socket_path: str = SOCKET) -> None:
        self.folder = folder
        self.tag = f"pm-contract-{secrets.token_hex(4)}"
        self.proxy, self.traefik = f"{self.tag}-socket-proxy", f"{self.tag}-traefik"
        model = yaml.safe_load(described["definition"])
        for name, service in model["services"].items():
            service["container_name"] = f"{self.tag}-{name}"
            service["labels"] = {"planner-memory.test": "contract"}
            service["security_opt"] = ["no-new-privileges:true"]
        traefik, proxy = model["services"]["traefik"], model["services"]["socket-proxy"]
        traefik["ports"] = ["127.0.0.1::80"]
        traefik["environment"]["TRAEFIK_PROVIDERS_DOCKER_CONSTRAINTS"] = f"Label(`test`,`{self.tag}`)"
        traefik["environment"]["TRAEFIK_PROVIDERS_DOCKER_NETWORK"] = self.tag
        traefik["networks"], model["networks"] = [self.tag], {self.tag: {"name": self.tag}}
        model["volumes"]["socket_proxy"]["name"] = self.tag
        proxy["volumes"][0] = f"{socket_path}:{SOCKET}:ro"
        self.model, self.files = model, described["files"]
        (folder / "docker-compose.yml").write_text(yaml.safe_dump(model))
        for file in self.files:
            (folder / file["path"]).write_text(file["content"])
            (folder / file["path"]).chmod(0o644)

    def compose(self, *args: str) -> None:
        docker("compose", "-p", self.tag, "--project-directory", str(self.folder), *args)

    def statuses(self, asked: list[str]) -> list[str]:
        """What the proxy answers to each ``METHOD PATH``."""
        loop = 'while read -r method path; do perl /usr/local/lib/ask.pl "$method" "$path"; done'
        done = subprocess.run(
            ["docker", "exec", "-i", self.proxy, "sh", "-c", loop],
            input="\n".join(asked) + "\n", capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        return done.stdout.split()

    def answers(self, host: str) -> str:
        """Status, and the container that answered."""
        port = docker("port", self.traefik, "80/tcp").rsplit(":", 1)[1]
        try:
            answer = requests.get(f"http://127.0.0.1:{port}/", headers={"Host": host}, timeout=20)
        except requests.RequestException:
            return "nothing"
        return answer.json()["service"] if answer.status_code == 200 else str(answer.status_code)

    def until(self, host: str, wanted: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while (seen := self.answers(host)) != wanted:
            assert time.monotonic() < deadline, f"{host} answers {seen} instead of {wanted}"
            time.sleep(0.1)

    def service(self, name: str, host: str = "") -> None:
        """One of the services that the double plays."""
        labels = {
            "test": self.tag, "planner-memory.test": "contract",
            **({"traefik.enable": "true", f"traefik.http.routers.{self.tag}-{name}.rule": f"Host(`{host}`)",
                f"traefik.http.services.{self.tag}-{name}.loadbalancer.server.port": "8090"} if host else {}),
        }  # fmt: skip
        options = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
        docker("run", "-d", "--name", f"{self.tag}-{name}", "--network", self.tag, "-e", f"SERVICE_NAME={name}",
               "-e", "PORT=8090", *options, DOUBLE)  # fmt: skip

    def remove(self) -> None:
        ids = docker("ps", "-aq", "--filter", f"name={self.tag}-").split()
        if ids:
            docker("rm", "-f", "-v", *ids, check=False)
        docker("compose", "-p", self.tag, "--project-directory", str(self.folder), "down", "--volumes", check=False)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Project traefik as the role hands it on, for the engine of this machine."""
    tasks = [
        {"ansible.builtin.import_role": {"name": "bestviable.planner_memory.traefik", "tasks_from": "define"}},
        {
            "ansible.builtin.copy": {
                "dest": "{{ dest }}",
                "content": "{{ stack_projects[0] | to_json }}",
                "mode": "0600",
            }
        },
    ]
    folder = tmp_path_factory.mktemp("described")
    gid = Path(SOCKET).stat().st_gid
    values = {
        "dest": str(folder / "project.json"),
        "stack_environment": "local",
        "stack_host": {"engine": {"socket_gid": gid}},
    }
    done = run_playbook(folder, [{"hosts": "all", "gather_facts": False, "vars": values, "tasks": tasks}])
    assert done.rc == 0, done.output
    return json.loads((folder / "project.json").read_text())


@pytest.fixture(scope="module")
def edge(described: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    one = Edge(tmp_path_factory.mktemp("edge"), described)
    try:
        one.compose("up", "-d", "--pull", "never", "--wait", "--wait-timeout", "120")
        yield one
    finally:
        one.remove()


def test_what_only_looks_is_let_through_and_everything_else_stops_at_the_proxy(
    described: dict[str, Any], tmp_path: Path
) -> None:
    path = str(tmp_path / "docker.sock")
    with Recorder(path) as engine:
        threading.Thread(target=engine.serve_forever, daemon=True).start()
        Path(path).chmod(0o666)
        tmp_path.chmod(0o755)
        edge = Edge(tmp_path, described, path)
        try:
            edge.compose("up", "-d", "--pull", "never", "--no-deps", "socket-proxy")
            proxy = Container(edge.proxy)
            proxy.wait(lambda: edge.statuses(["GET /_ping"]) == ["200"])
            assert edge.statuses(LET_THROUGH) == ["200"] * len(LET_THROUGH)
            assert set(LET_THROUGH) <= set(engine.seen)
            engine.seen.clear()
            answers = dict(zip(REFUSED, edge.statuses(REFUSED), strict=True))
            assert {asked: said for asked, said in answers.items() if said not in ("403", "400")} == {}
            assert [asked for asked in engine.seen if not asked.endswith("/_ping")] == []
            last = [asked for asked in REFUSED if answers[asked] == "403"][-1]
            proxy.wait(lambda: f"403 {last}" in proxy.logs())
            assert "403 POST /v1.41/containers/x/exec" in proxy.logs(), "a refusal is logged"
            assert "200 " not in proxy.logs(), "a look is not"
        finally:
            edge.remove()
            engine.shutdown()


def test_neither_container_can_do_more_than_its_work(edge: Edge) -> None:
    seen = {one["Name"].lstrip("/"): one for one in json.loads(docker("inspect", edge.proxy, edge.traefik))}
    for one in seen.values():
        host = one["HostConfig"]
        assert (host["ReadonlyRootfs"], host["Privileged"], host["CapDrop"], host["CapAdd"] or []) == (
            True,
            False,
            ["ALL"],
            [],
        )
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert one["Config"]["User"] not in ("", "root", "0")
        status = Path(f"/proc/{one['State']['Pid']}/status").read_text()
        assert "CapEff:\t0000000000000000" in status and "CapBnd:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status and "Uid:\t6553" in status
    assert seen[edge.proxy]["HostConfig"]["NetworkMode"] == "none"
    mounts = sorted(mount["Destination"] for mount in seen[edge.traefik]["Mounts"])
    assert mounts == ["/etc/traefik/requests.yml", "/run/socket-proxy"]


def test_traefik_follows_a_container_that_is_made_anew_and_what_does_not_ask_is_not_routed(edge: Edge) -> None:
    edge.service("observer-agent")
    edge.service("memory-gateway", "t.example")
    edge.until("t.example", "memory-gateway")
    assert edge.answers(f"{edge.tag}-observer-agent") == "404" and edge.answers("observer-agent") == "404"
    docker("rm", "-f", f"{edge.tag}-memory-gateway")
    edge.until("t.example", "404")
    # Takes the address that became free.
    docker("run", "-d", "--name", f"{edge.tag}-space", "--network", edge.tag, "--label", "planner-memory.test=contract",
           "-e", "SERVICE_NAME=observer-agent", DOUBLE)  # fmt: skip
    edge.service("planner-engine", "t.example")
    edge.until("t.example", "planner-engine")


def test_traefik_finds_the_engine_again_when_the_proxy_was_away(edge: Edge) -> None:
    edge.service("scheduler-engine", "away.example")
    edge.until("away.example", "scheduler-engine")
    docker("kill", edge.proxy)
    assert edge.answers("away.example") == "scheduler-engine", "routes stay while the proxy is away"
    docker("start", edge.proxy)
    edge.service("coda-mcp", "late.example")
    edge.until("late.example", "coda-mcp")


def test_streams_that_nobody_reads_any_more_are_not_kept(edge: Edge) -> None:
    """More than the proxy takes at one time."""
    script = (
        "use IO::Socket::UNIX; for (1..150) {"
        ' my $s = IO::Socket::UNIX->new(Peer => "/run/socket-proxy/docker.sock") or die;'
        ' print $s "GET /events HTTP/1.1\\r\\nHost: d\\r\\n\\r\\n"; select(undef, undef, undef, 0.01) }'
    )
    docker("exec", edge.proxy, "perl", "-e", script)
    assert edge.statuses(["GET /_ping"] * 3) == ["200"] * 3


def test_a_traefik_that_had_the_engines_own_socket_is_brought_over_without_a_hand(
    described: dict[str, Any], tmp_path: Path
) -> None:
    edge = Edge(tmp_path, described)
    old = copy.deepcopy(edge.model)
    proxy, traefik = old["services"].pop("socket-proxy"), old["services"]["traefik"]
    del old["volumes"], traefik["depends_on"]
    traefik["volumes"], traefik["group_add"] = [f"{SOCKET}:{SOCKET}:ro"], proxy["group_add"]
    traefik["environment"]["TRAEFIK_PROVIDERS_DOCKER_ENDPOINT"] = f"unix://{SOCKET}"
    for name in ("ENTRYPOINTS_WEB_HTTP_MIDDLEWARES", "PROVIDERS_FILE_FILENAME", "PROVIDERS_FILE_WATCH"):
        del traefik["environment"][f"TRAEFIK_{name}"]

    def run(model: dict[str, Any], files: list[dict[str, Any]], check: bool = False) -> dict[str, Any]:
        project = {"name": edge.tag, "definition": yaml.safe_dump(model), "files": files}
        params = {"projects": [project], "services_dir": str(tmp_path / "services"), "pull": "never"}
        return run_module("compose_stack", params, check=check)

    try:
        run(old, [])
        edge.service("memory-gateway", "over.example")
        edge.until("over.example", "memory-gateway")
        planned = run(edge.model, edge.files, check=True)
        done = run(edge.model, edge.files)
        assert (planned["diff"], planned["actions"]) == (done["diff"], done["actions"])
        assert {action.split(": ")[1].split(" (")[0] for action in done["actions"]} == {
            "update docker-compose.yml", "write haproxy.cfg", "write ask.pl", "write requests.yml",
            "create socket-proxy", "recreate traefik",
        }  # fmt: skip
        edge.until("over.example", "memory-gateway")
        assert SOCKET not in [one["Source"] for one in json.loads(docker("inspect", edge.traefik))[0]["Mounts"]]
        assert run(edge.model, edge.files)["changed"] is False
        docker("rm", "-f", f"{edge.tag}-memory-gateway")
        gone = {"remove_volumes": True, "confirm_data_loss": [edge.tag], "backup_dir": str(tmp_path / "backups")}
        params = {"projects": [{"name": edge.tag}], "services_dir": str(tmp_path / "services"), "state": "absent"}
        run_module("compose_stack", {**params, **gone})
        assert docker("volume", "ls", "-q", "--filter", f"name={edge.tag}") == ""
    finally:
        edge.remove()

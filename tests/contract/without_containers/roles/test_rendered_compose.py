# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles hand to compose_stack, rendered by Ansible, against the literal numbers of the specification."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tests.support.rendered import DOUBLE, PUBLIC, SERVICES, TOKEN, TUNNEL, render

CONFIG = """\
tunnel: f70ff985-a4ef-4643-bbbc-4a0ed4fc8415
credentials-file: /etc/cloudflared/credentials.json
ingress:
  - hostname: memory.bestviable.com
    service: http://traefik:80
    originRequest: {"connectTimeout": "10s", "noTLSVerify": true}
  - hostname: planner.bestviable.com
    service: http://traefik:80
    originRequest: {"connectTimeout": "10s", "noTLSVerify": true}
  - hostname: scheduler.bestviable.com
    service: http://traefik:80
    originRequest: {"connectTimeout": "10s", "noTLSVerify": true}
  - service: http_status:404
"""


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, dict[str, Any]]]:
    return render(tmp_path_factory.mktemp("rendered"))


# Projects of more than one container.
ALONGSIDE = {"traefik": ["socket-proxy"]}


def service(rendered: dict[str, Any], name: str, host: str = "plain", project: str = "") -> dict[str, Any]:
    services = rendered[host][project or name]["definition"]["services"]
    assert sorted(services) == sorted([project or name, *ALONGSIDE.get(project or name, [])])
    assert services[name]["container_name"] == name
    return services[name]


def test_the_projects(rendered):
    assert sorted(rendered["plain"]) == sorted(["valkey", "traefik", *SERVICES])
    assert sorted(rendered["double"]) == ["traefik", "valkey"], "no service is enabled"


def test_valkey_deployment(rendered):
    """Scenario 1.1."""
    valkey = service(rendered, "valkey")
    assert valkey["image"].startswith("valkey/valkey:8.1")
    flags = " ".join(flag or '""' for flag in valkey["command"])
    assert flags.startswith(
        "valkey-server --maxmemory 200mb --maxmemory-policy allkeys-lru"
        ' --appendonly yes --appendfsync everysec --save ""'
    )
    assert valkey["ports"] == ["127.0.0.1:6379:6379"]
    assert valkey["networks"] == ["docker_syncbricks"]
    assert rendered["plain"]["valkey"]["definition"]["networks"] == {"docker_syncbricks": {"external": True}}
    assert "valkey_data:/data" in valkey["volumes"]


def test_valkey_keeps_its_append_only_file_off_when_asked(rendered):
    command = service(rendered, "valkey", "small_swap")["command"]
    assert command[command.index("--appendonly") + 1] == "no"


def test_valkey_logs_evictions(rendered):
    """Scenario 1.3."""
    valkey = service(rendered, "valkey")
    files = rendered["plain"]["valkey"]["files"]
    assert valkey["entrypoint"] == ["/bin/sh", "/usr/local/bin/valkey-run.sh"]
    assert "./valkey-run.sh:/usr/local/bin/valkey-run.sh:ro" in valkey["volumes"]
    assert [(entry["path"], entry["mode"]) for entry in files] == [("valkey-run.sh", "0644")]
    assert files[0]["content"].startswith("#!/bin/sh\n")
    assert files[0]["content"].endswith('exec "$@"\n')
    assert valkey["environment"] == {"EVICTION_LOG_INTERVAL": "60", "SYNCHRONOUS_UPDATES": "no"}


def test_valkey_health_check(rendered):
    """Scenario 7.2."""
    assert service(rendered, "valkey")["healthcheck"] == {
        "test": ["CMD", "redis-cli", "ping"],
        "interval": "10s",
        "timeout": "5s",
        "retries": 3,
    }


@pytest.mark.parametrize(
    ("host", "limit"),
    [
        pytest.param("swap", "200m", id="8.1 where the host has the swap"),
        pytest.param("plain", "448m", id="no swap"),
        pytest.param("small_swap", "448m", id="less swap than data"),
        pytest.param("bare", "448m", id="nothing known of the host"),
        pytest.param("half", "200m", id="80mb fit twice into 200m"),
        pytest.param("double", "848m", id="400mb without swap"),
        pytest.param("operator", "512m", id="the operator's own number"),
    ],
)
def test_valkey_memory_limit(rendered, host, limit):
    """Scenario 8.1 and its measured deviation."""
    valkey = service(rendered, "valkey", host)
    assert valkey["mem_limit"] == limit
    assert "memswap_limit" not in valkey


@pytest.mark.parametrize("name", SERVICES)
def test_services_get_the_password_in_their_env_file_only(rendered, name):
    assert service(rendered, name)["environment"]["VALKEY_URL"] == "redis://valkey:6379/0"
    assert "VALKEY_URL" not in rendered["plain"][name]["env"]
    project = rendered["half"][name]
    assert project["env"]["VALKEY_URL"] == "redis://planner:a%2Fpassword%3A%20of%2016@valkey:6379/0"
    assert "VALKEY_URL" not in service(rendered, name, "half")["environment"], "it would win over the env file"


@pytest.mark.parametrize("name", PUBLIC)
def test_external_services(rendered, name):
    """Scenarios 5.1, 6.1, 6.2, 6.3."""
    host, port = PUBLIC[name]
    seen = service(rendered, name)
    assert seen["networks"] == ["docker_proxy", "docker_syncbricks"]
    assert seen["expose"] == [str(port)]
    assert "ports" not in seen
    assert seen["labels"] == {
        "traefik.enable": "true",
        f"traefik.http.routers.{name}.rule": f"Host(`{host}.bestviable.com`)",
        f"traefik.http.routers.{name}.entrypoints": "web",
        f"traefik.http.services.{name}.loadbalancer.server.port": str(port),
        "traefik.docker.network": "docker_proxy",
        "com.bestviable.planner_memory.watchdog": "true",
    }


@pytest.mark.parametrize("name", ["valkey", "observer-agent"])
def test_internal_services(rendered, name):
    """Scenario 5.2."""
    seen = service(rendered, name)
    assert seen["networks"] == ["docker_syncbricks"]
    assert seen["labels"] == {"com.bestviable.planner_memory.watchdog": "true"}


def test_scheduler_keeps_its_credentials_and_knows_its_callback(rendered):
    """Scenario 6.3."""
    scheduler = service(rendered, "scheduler-engine")
    assert scheduler["volumes"] == ["scheduler_credentials:/app/credentials"]
    assert scheduler["environment"]["GOOGLE_REDIRECT_URI"] == "https://scheduler.bestviable.com/oauth/callback"
    assert "scheduler_credentials" in rendered["plain"]["scheduler-engine"]["definition"]["volumes"]


@pytest.mark.parametrize(
    ("name", "port"), [(name, port) for name, (_host, port) in PUBLIC.items()] + [("observer-agent", 8093)]
)
def test_health_checks(rendered, name, port):
    """Scenario 7.1."""
    assert service(rendered, name)["healthcheck"] == {
        "test": ["CMD", "curl", "-f", f"http://localhost:{port}/health"],
        "interval": "30s",
        "timeout": "10s",
        "retries": 3,
    }


def test_start_interval_only_where_the_engine_has_it(rendered):
    assert service(rendered, "memory-gateway", "swap")["healthcheck"]["start_interval"] == "2s"
    assert "start_interval" not in service(rendered, "memory-gateway", "bare")["healthcheck"]


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("memory-gateway", "200m"),
        ("planner-engine", "200m"),
        ("scheduler-engine", "200m"),
        ("observer-agent", "150m"),
    ],
)
def test_memory_limits(rendered, name, limit):
    """Scenario 8.1."""
    assert service(rendered, name)["mem_limit"] == limit


@pytest.mark.parametrize("name", ["valkey", *SERVICES])
def test_cpu_limits(rendered, name):
    """Scenario 8.2."""
    assert service(rendered, name)["cpus"] == 0.5


@pytest.mark.parametrize("name", ["valkey", "traefik", *SERVICES])
def test_hardening(rendered, name):
    seen = service(rendered, name)
    assert seen["cap_drop"] == ["ALL"]
    assert seen["read_only"] is True
    assert seen["tmpfs"] == ["/tmp"]


@pytest.mark.parametrize("name", SERVICES)
def test_secrets_stand_in_the_env_file_only(rendered, name):
    project = rendered["plain"][name]
    assert project["env"]["POSTGRES_PASSWORD"] == "pg$ecret"
    assert project["env"]["OPENROUTER_API_KEY"] == "or-key"
    assert ("GOOGLE_CLIENT_ID" in project["env"]) == (name == "scheduler-engine")
    assert "MEM0_API_KEY" not in project["env"], "an empty secret is left out"
    seen = service(rendered, name)
    assert seen["env_file"] == [f"{name}.env"]
    assert not {"POSTGRES_PASSWORD", "OPENROUTER_API_KEY"} & set(seen["environment"])
    assert "ecret" not in json.dumps(project["definition"])


def test_service_double_learns_who_it_is(rendered):
    seen = service(rendered, "observer-agent")
    assert seen["image"] == DOUBLE
    assert seen["environment"]["SERVICE_NAME"] == "observer-agent"
    assert seen["environment"]["PORT"] == "8093"


def test_traefik(rendered):
    traefik = service(rendered, "traefik")
    assert traefik["image"] == "traefik:v3.7.15"
    assert traefik["ports"] == ["127.0.0.1:80:80"]
    assert traefik["networks"] == ["docker_proxy"]
    assert traefik["user"] == "65532:65532"
    assert "group_add" not in traefik
    assert traefik["volumes"] == [
        "socket_proxy:/run/socket-proxy:ro",
        "./requests.yml:/etc/traefik/requests.yml:ro",
    ], "never the engine's own socket"
    assert traefik["healthcheck"]["test"] == ["CMD", "traefik", "healthcheck"]
    environment = traefik["environment"]
    assert environment["TRAEFIK_PROVIDERS_DOCKER_ENDPOINT"] == "unix:///run/socket-proxy/docker.sock"
    assert environment["TRAEFIK_PROVIDERS_DOCKER_EXPOSEDBYDEFAULT"] == "false"
    assert environment["TRAEFIK_PROVIDERS_DOCKER_NETWORK"] == "docker_proxy"
    assert environment["TRAEFIK_ENTRYPOINTS_WEB_ADDRESS"] == ":80"
    assert environment["TRAEFIK_ENTRYPOINTS_PING_ADDRESS"] == "127.0.0.1:8082"
    assert "TRAEFIK_ENTRYPOINTS_WEB_FORWARDEDHEADERS_TRUSTEDIPS" not in environment, "nobody is believed unasked"
    trusting = service(rendered, "traefik", "swap")["environment"]
    assert trusting["TRAEFIK_ENTRYPOINTS_WEB_FORWARDEDHEADERS_TRUSTEDIPS"] == "10.203.10.1"
    assert not [name for name in environment if name.startswith(("TRAEFIK_API", "TRAEFIK_METRICS"))]


def test_cloudflared_with_a_token(rendered):
    assert "cloudflared" not in rendered["plain"], "off by default"
    project, seen = rendered["token"]["cloudflared"], service(rendered, "cloudflared", "token")
    assert seen["command"] == [
        "tunnel", "--metrics", "127.0.0.1:2000", "run", "--token-file", "/etc/cloudflared/token",
    ]  # fmt: skip
    assert seen["volumes"] == ["./token:/etc/cloudflared/token:ro"]
    assert project["files"] == [{"path": "token", "content": TOKEN, "mode": "0400", "owner": 65532}]
    assert TOKEN not in json.dumps(project["definition"]) and "env" not in project and project["state"] == "present"
    assert seen["user"] == "65532:65532" and seen["cap_drop"] == ["ALL"] and seen["read_only"] is True
    assert (seen["mem_limit"], seen["cpus"]) == ("128m", 0.5)
    assert "ports" not in seen and seen["networks"] == {"docker_proxy": {"ipv4_address": "10.203.10.254"}}
    assert seen["healthcheck"]["test"] == ["CMD", "cloudflared", "tunnel", "--metrics", "127.0.0.1:2000", "ready"]
    assert seen["healthcheck"]["start_interval"] == "2s"
    assert "start_interval" not in service(rendered, "cloudflared", "config")["healthcheck"]
    assert seen["labels"] == {"com.bestviable.planner_memory.watchdog": "true"}
    trusted = service(rendered, "traefik", "token")["environment"]
    assert trusted["TRAEFIK_ENTRYPOINTS_WEB_FORWARDEDHEADERS_TRUSTEDIPS"] == "10.203.10.1,10.203.10.254"


def test_cloudflared_with_rules_of_its_own(rendered):
    project, seen = rendered["config"]["cloudflared"], service(rendered, "cloudflared", "config")
    config, credentials = project["files"]
    assert config == {"path": "config.yml", "content": CONFIG, "mode": "0644"}
    assert yaml.safe_load(CONFIG)["ingress"][-1] == {"service": "http_status:404"}
    assert json.loads(credentials["content"]) == {"AccountTag": "b0", "TunnelSecret": "c2VjcmV0", "TunnelID": TUNNEL}
    assert (credentials["mode"], credentials["owner"]) == ("0400", 65532)
    assert seen["command"][3:] == ["--config", "/etc/cloudflared/config.yml", "run"]
    assert sorted(seen["volumes"]) == [
        "./config.yml:/etc/cloudflared/config.yml:ro",
        "./credentials.json:/etc/cloudflared/credentials.json:ro",
    ]
    assert seen["networks"] == {"docker_proxy": None}, "no fixed address in a network without a declared range"


def test_without_a_tunnel_rules_are_written_and_nothing_runs(rendered):
    project = rendered["rules_only"]["cloudflared"]
    assert project["state"] == "stopped"
    assert [file["path"] for file in project["files"]] == ["config.yml"]
    assert yaml.safe_load(project["files"][0]["content"]) == {
        "ingress": [
            *(
                {"hostname": f"{host}.bestviable.com", "service": "http://traefik:80"}
                for host, _port in PUBLIC.values()
            ),
            {"service": "http_status:404"},
        ]
    }


def test_what_the_role_brought_up_goes_when_it_is_no_longer_asked_for(rendered):
    project = rendered["no_longer"]["cloudflared"]
    assert (project["state"], project["files"]) == ("absent", [])
    services = {name: rendered["no_longer"].get(name) for name in SERVICES}
    gone = services.pop("planner-engine")
    assert gone is not None and (gone["state"], gone["definition"]) == ("absent", None)
    assert set(services.values()) == {None}, "what it never brought up is somebody else's"


@pytest.mark.skipif(shutil.which("docker") is None, reason="the Compose plugin is not here")
@pytest.mark.parametrize("host", ["token", "config", "rules_only"])
def test_compose_itself_takes_cloudflared(rendered, host, tmp_path):
    (tmp_path / "docker-compose.yml").write_text(yaml.safe_dump(rendered[host]["cloudflared"]["definition"]))
    command = ["docker", "compose", "--project-directory", str(tmp_path), "config", "--quiet"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_proxy_before_the_engine(rendered):
    proxy = service(rendered, "socket-proxy", project="traefik")
    assert proxy["image"] == "haproxy:3.0.11"
    assert proxy["user"] == "65531:65532"
    assert proxy["group_add"] == ["998"]
    assert service(rendered, "socket-proxy", "small_swap", "traefik")["group_add"] == ["0"]
    assert "group_add" not in service(rendered, "socket-proxy", "bare", "traefik")
    assert proxy["network_mode"] == "none" and "ports" not in proxy
    assert proxy["volumes"] == [
        "/var/run/docker.sock:/var/run/docker.sock:ro",
        "./haproxy.cfg:/usr/local/etc/haproxy/haproxy.cfg:ro",
        "./ask.pl:/usr/local/lib/ask.pl:ro",
        "socket_proxy:/run/socket-proxy",
    ]
    assert (proxy["cap_drop"], proxy["read_only"]) == (["ALL"], True)
    assert (proxy["mem_limit"], proxy["cpus"]) == ("64m", 0.25)
    assert proxy["labels"] == {"com.bestviable.planner_memory.watchdog": "true"}
    assert proxy["healthcheck"]["test"] == ["CMD", "perl", "/usr/local/lib/ask.pl", "GET", "/_ping"]
    files = {one["path"]: one for one in rendered["plain"]["traefik"]["files"]}
    assert {one["mode"] for one in files.values()} == {"0644"}
    assert "deny_status 403 unless reads" in files["haproxy.cfg"]["content"]
    assert sorted(files) == ["ask.pl", "haproxy.cfg", "requests.yml"]


def test_nothing_in_the_operators_words_is_lost(rendered):
    assert sorted(rendered["operator"]) == ["planner-engine", "scheduler-engine", "valkey"], (
        "production has its Traefik"
    )
    planner = service(rendered, "planner-engine", "operator")
    assert planner["build"] == {"context": "/srv/planner"}
    assert planner["image"] == "planner-memory/planner-engine:built"
    assert (planner["mem_limit"], planner["cpus"], planner["user"]) == ("300m", 0.5, "1000:1000")
    assert "read_only" not in planner
    assert planner["networks"] == ["edge", "inner"]
    assert planner["labels"]["traefik.docker.network"] == "edge"
    assert planner["labels"]["traefik.http.routers.planner-engine.rule"] == "Host(`planner.example.org`)"
    scheduler = service(rendered, "scheduler-engine", "operator")
    assert scheduler["image"] == "registry.example.org/scheduler:2"
    assert scheduler["environment"]["GREETING"] == 'a "$$HOME" b', "Compose must not interpolate"
    assert scheduler["environment"]["GOOGLE_REDIRECT_URI"] == "https://scheduler.example.org/oauth/callback"


def test_secrets_that_a_service_reads_from_files_are_not_in_its_environment(rendered):
    planner = rendered["operator"]["planner-engine"]
    seen = service(rendered, "planner-engine", "operator")
    assert planner["files"] == [
        {"path": "secrets/POSTGRES_PASSWORD", "content": "pg$ecret", "mode": "0400", "owner": 1000}
    ], "an empty secret is no file"
    assert planner["env"] == {"OPENROUTER_API_KEY": "or-key"}
    assert seen["environment"]["POSTGRES_PASSWORD_FILE"] == "/run/secrets/POSTGRES_PASSWORD"
    assert "QDRANT_API_KEY_FILE" not in seen["environment"]
    assert seen["volumes"] == ["./secrets/POSTGRES_PASSWORD:/run/secrets/POSTGRES_PASSWORD:ro"]

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._retire.definition import definition
from ansible_collections.bestviable.planner_memory.plugins.module_utils._retire.model import parse_memory

IMAGE = {
    "Config": {"Entrypoint": ["run"], "Cmd": ["it"], "Env": ["PATH=/bin"], "Labels": {"of": "image"}, "User": "app"}
}


def service(config: dict[str, Any], host: dict[str, Any], mounts: Any = (), networks: Any = None) -> dict[str, Any]:
    labels = {"com.docker.compose.service": "web", **config.pop("Labels", {})}
    container = {
        "Id": "0123456789abcdef",
        "Name": "/archon-web",
        "Image": "sha256:1",
        "Config": {"Image": "web:1", "Entrypoint": ["run"], "Cmd": ["it"], "User": "app", "Labels": labels, **config},
        "HostConfig": {"RestartPolicy": {"Name": "no"}, **host},
        "Mounts": list(mounts),
        "NetworkSettings": {"Networks": networks or {}},
    }
    return definition("archon", [container], {"sha256:1": IMAGE}, {"archon_default": "default"})


def test_what_comes_with_the_image_is_left_out() -> None:
    found = service({"Env": ["PATH=/bin", "A=b$c"], "Labels": {"of": "image", "mine": "yes"}}, {})["services"]["web"]
    assert found == {
        "image": "web:1",
        "container_name": "archon-web",
        "environment": {"A": "b$$c"},
        "labels": {"mine": "yes"},
        "restart": "no",
        "network_mode": "bridge",
    }


def test_a_container_without_the_entry_point_of_its_image_says_so() -> None:
    assert service({"Entrypoint": None, "Cmd": ["sh"]}, {})["services"]["web"]["entrypoint"] == []


@pytest.mark.parametrize(
    ("host", "key", "value"),
    [
        ({"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}, "restart", "on-failure:3"),
        ({"Memory": 104857600}, "mem_limit", "104857600"),
        ({"NanoCpus": 500000000}, "cpus", 0.5),
        ({"NetworkMode": "host"}, "network_mode", "host"),
        ({"Tmpfs": {"/tmp": "size=1m"}}, "tmpfs", ["/tmp:size=1m"]),
        ({"CapDrop": ["ALL"]}, "cap_drop", ["ALL"]),
        ({"LogConfig": {"Type": "json-file", "Config": {"max-size": "10m"}}}, "logging",
         {"driver": "json-file", "options": {"max-size": "10m"}}),
        ({"ShmSize": 268435456}, "shm_size", "268435456"),
        ({"Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}]}, "ulimits", {"nofile": {"soft": 1, "hard": 2}}),
        ({"PidsLimit": 77}, "pids_limit", 77),
        ({"Dns": ["9.9.9.9"]}, "dns", ["9.9.9.9"]),
        ({"Devices": [{"PathOnHost": "/dev/a", "PathInContainer": "/dev/b", "CgroupPermissions": "r"}]}, "devices",
         ["/dev/a:/dev/b:r"]),
        ({"Sysctls": {"net.core.somaxconn": "999"}}, "sysctls", {"net.core.somaxconn": "999"}),
        ({"GroupAdd": ["44"]}, "group_add", ["44"]),
        ({"MemoryReservation": 52428800}, "mem_reservation", "52428800"),
        ({"Memory": 100, "MemorySwap": -1}, "memswap_limit", "-1"),
        ({"OomScoreAdj": 300}, "oom_score_adj", 300),
        ({"PidMode": "host"}, "pid", "host"),
        ({"Mounts": [{"Type": "tmpfs", "Target": "/x", "TmpfsOptions": {"SizeBytes": 5}}]}, "volumes",
         [{"type": "tmpfs", "target": "/x", "tmpfs": {"size": 5}}]),
        ({"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}}, "ports",
         [{"target": 80, "protocol": "tcp", "published": "8080", "host_ip": "127.0.0.1"}]),
    ],
)  # fmt: skip
def test_what_the_host_was_asked_for(host: dict[str, Any], key: str, value: Any) -> None:
    assert service({}, host)["services"]["web"][key] == value


def test_health_is_in_the_units_of_the_engine() -> None:
    check = {"Test": ["CMD", "true"], "Interval": 5_000_000_000, "Retries": 3}
    found = service({"Healthcheck": check}, {})["services"]["web"]["healthcheck"]
    assert found == {"test": ["CMD", "true"], "retries": 3, "interval": "5000000000ns"}
    assert service({"Healthcheck": {"Test": ["NONE"]}}, {})["services"]["web"]["healthcheck"] == {"disable": True}


def test_volumes_and_networks() -> None:
    mounts = [
        {"Type": "bind", "Source": "/etc/x", "Destination": "/x", "RW": False},
        {"Type": "volume", "Name": "archon_data", "Source": "/var/lib", "Destination": "/data", "RW": True},
    ]
    networks = {"archon_default": {"Aliases": ["archon-web", "web", "0123456789ab"]}, "shared": {"Aliases": ["www"]}}
    found = service({}, {}, mounts, networks)
    assert found["services"]["web"]["volumes"] == [
        {"type": "bind", "source": "/etc/x", "target": "/x", "read_only": True},
        {"type": "volume", "source": "archon_data", "target": "/data"},
    ]
    assert found["services"]["web"]["networks"] == {"default": {}, "shared": {"aliases": ["www"]}}
    assert found["networks"] == {
        "default": {"name": "archon_default"},
        "shared": {"name": "shared", "external": True},
    }
    assert found["volumes"] == {"archon_data": {"name": "archon_data", "external": True}}


@pytest.mark.parametrize(
    ("text", "size"),
    [("270.5MiB / 2GiB", 283639808), ("1.5GiB / 2GiB", 1610612736), ("12kB / 0B", 12000), ("0B / 0B", 0), ("--", 0)],
)
def test_memory_as_docker_stats_shows_it(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize(
    ("config", "key", "value"),
    [
        ({"Hostname": "archonhost"}, "hostname", "archonhost"),
        ({"StopSignal": "SIGINT"}, "stop_signal", "SIGINT"),
        ({"StopTimeout": 1}, "stop_grace_period", "1s"),
        ({"Tty": True}, "tty", True),
        ({"OpenStdin": True}, "stdin_open", True),
    ],
)
def test_what_the_container_is_told(config: dict[str, Any], key: str, value: Any) -> None:
    assert service(config, {})["services"]["web"][key] == value


def test_what_the_engine_gives_by_itself_is_left_out() -> None:
    host = {"Memory": 100, "MemorySwap": 200, "ShmSize": 67108864, "Runtime": "runc", "IpcMode": "private"}
    more = {"Ulimits": None, "OomKillDisable": False, "PidsLimit": None, "OomScoreAdj": 0, "MemorySwappiness": None}
    found = service({"Hostname": "0123456789ab"}, {**host, **more})
    assert sorted(found["services"]["web"]) == ["container_name", "image", "mem_limit", "network_mode", "restart"]


def test_an_internal_network_stays_internal() -> None:
    network = {
        "Driver": "bridge", "Internal": True, "EnableIPv6": False, "Options": {"com.docker.network.bridge.name": "br9"},
        "Labels": {"com.docker.compose.project": "archon", "mine": "yes"},
        "IPAM": {"Driver": "default", "Config": [{"Subnet": "172.30.9.0/24", "Gateway": "172.30.9.1"}]},
    }  # fmt: skip
    one = {
        "Id": "0123456789abcdef", "Name": "/archon-web", "Image": "sha256:1",
        "Config": {"Image": "web:1", "Labels": {"com.docker.compose.depends_on": "db:service_healthy:true,gone"}},
        "HostConfig": {},
        "NetworkSettings": {"Networks": {"archon_default": {"IPAMConfig": {"IPv4Address": "172.30.9.9"}}}},
    }  # fmt: skip
    other = {**one, "Name": "/db", "Config": {"Image": "db:1"}, "NetworkSettings": {}}
    found = definition("archon", [one, other], {}, {"archon_default": "default"}, {"archon_default": network})
    assert found["networks"]["default"] == {
        "name": "archon_default",
        "internal": True,
        "driver_opts": {"com.docker.network.bridge.name": "br9"},
        "labels": {"mine": "yes"},
        "ipam": {"config": [{"subnet": "172.30.9.0/24", "gateway": "172.30.9.1"}]},
    }
    web = found["services"]["archon-web"]
    assert web["networks"] == {"default": {"ipv4_address": "172.30.9.9"}}
    assert web["depends_on"] == {"db": {"condition": "service_healthy", "restart": True}}

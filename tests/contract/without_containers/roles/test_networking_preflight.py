# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role networking refuses or warns of before it touches anything, one sentence each."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.support.playbook import Run, run_preflight


def network(subnet: str, gateway: str, bridge: str, *containers: str) -> dict[str, Any]:
    return {
        "driver": "bridge",
        "subnets": [subnet],
        "gateways": [gateway],
        "bridge": bridge,
        "containers": [*containers],
    }


PROXY = network("10.203.10.0/24", "10.203.10.1", "br-proxy", "traefik", "memory-gateway")
INTERNAL = network("10.203.20.0/24", "10.203.20.1", "br-sync", "valkey")
OLD = network("172.18.0.0/16", "172.18.0.1", "br-0123456789ab", "memory-gateway", "traefik")
HOST: dict[str, Any] = {
    "root": True,
    "routes": [{"interface": "eth0", "subnet": "0.0.0.0/0"}, {"interface": "eth0", "subnet": "192.0.2.0/24"}],
    "firewall": {"usable": True, "others": []},
    "services": {},
}


def host(networks: dict[str, Any], **more: Any) -> dict[str, Any]:
    engine = {
        "installed": True, "running": True, "bridges": networks, "networks": [*networks],
        "subnets": {name: one["subnets"] for name, one in networks.items()},
    }  # fmt: skip
    return {"stack_host": {**copy.deepcopy(HOST), "engine": engine, **more}}


ROUTED = [*HOST["routes"], {"interface": "wg0", "subnet": "10.203.0.0/16"}]
STOCK = (
    "nftables.service is enabled, and /etc/nftables.conf has 'flush ruleset': loading it removes Docker's own rules"
    " until the engine is restarted (our table comes back by itself where there is systemd)"
)
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "containers-run": (
        host({"docker_proxy": OLD}) | {"networking_recreate": True},
        "networking_recreate would make anew docker_proxy (memory-gateway, traefik), in which these containers run;"
        " stop them, or name the network in networking_recreate_disconnect too.",
    ),
    "the-other-was-named": (
        host({"docker_proxy": OLD})
        | {"networking_recreate": True, "networking_recreate_disconnect": ["docker_syncbricks"]},
        "networking_recreate would make anew docker_proxy (memory-gateway, traefik)",
    ),
    "route": (
        host({"docker_syncbricks": INTERNAL}, routes=ROUTED),
        "networking_proxy_subnet is 10.203.10.0/24, but the route through wg0 already holds 10.203.0.0/16",
    ),
    "route-of-another-bridge": (
        host({}, routes=[*HOST["routes"], {"interface": "br-0123456789ab", "subnet": "10.203.10.0/24"}]),
        "networking_proxy_subnet is 10.203.10.0/24, but the route through br-0123456789ab already holds 10.203.10.0/24",
    ),
    "inside-a-route": (
        host({"docker_proxy": PROXY}) | {"networking_internal_subnet": "192.0.2.128/25"},
        "networking_internal_subnet is 192.0.2.128/25, but the route through eth0 already holds 192.0.2.0/24",
    ),
    "another-network": (
        host({"other": network("10.203.8.0/21", "10.203.8.1", "br-1")}),
        "networking_proxy_subnet is 10.203.10.0/24, but network other already holds 10.203.8.0/21",
    ),
    "gateway-elsewhere": (
        host({}) | {"networking_proxy_subnet": "10.9.0.0/24"},
        "networking_proxy_gateway is 10.203.10.1, which is no host's address in networking_proxy_subnet (10.9.0.0/24):"
        " write one such as 10.9.0.1.",
    ),
    "bridge-of-another": (
        host({"old_proxy": {**OLD, "bridge": "br-proxy"}, "docker_syncbricks": INTERNAL}),
        "networking_proxy_bridge is br-proxy, the bridge of network old_proxy: choose another name.",
    ),
    "bridge-is-an-interface": (
        host({"docker_proxy": PROXY}, interfaces=["lo", "eth0", "br-sync"]),
        "networking_internal_bridge is br-sync, an interface that the host has already: choose another name.",
    ),
    "interfaces-are-no-list": (
        host({}) | {"networking_trusted_interfaces": "wg0"},
        "networking_trusted_interfaces is 'wg0', which is not a list; correct it where you set it",
    ),
    "no-range": (
        host({}) | {"networking_proxy_subnet": "10.203.10.0"},
        "networking_proxy_subnet is 10.203.10.0, without room for containers: write an address range such as",
    ),
}  # fmt: skip
GOOD: dict[str, tuple[dict[str, Any], str]] = {
    "adopted": (
        host({"docker_proxy": OLD, "docker_syncbricks": INTERNAL}),
        "kept as they are: network docker_proxy has 172.18.0.0/16 instead of 10.203.10.0/24, bridge br-0123456789ab"
        " instead of br-proxy (networking_recreate makes them anew)",
    ),
    "adopted-behind-its-own-route": (
        host({"docker_proxy": PROXY, "docker_syncbricks": INTERNAL}, routes=[
            *HOST["routes"], {"interface": "br-proxy", "subnet": "10.203.10.0/24"},
            {"interface": "br-sync", "subnet": "10.203.20.0/24"}]),
        "",
    ),
    "killed-engine-left-its-bridges": (
        {"stack_host": {
            **HOST, "engine": {"installed": True, "running": False, "networks": [], "subnets": {}},
            "routes": [*HOST["routes"], {"interface": "br-proxy", "subnet": "10.203.10.0/24"},
                       {"interface": "br-0123456789ab", "subnet": "10.203.20.0/24"}]}},
        "",
    ),
    "twice-yes": (
        host({"docker_proxy": OLD, "docker_syncbricks": INTERNAL})
        | {"networking_recreate": True, "networking_recreate_disconnect": ["docker_proxy"]},
        "",
    ),
    "adopted-with-a-gateway-elsewhere": (
        host({"docker_proxy": PROXY, "docker_syncbricks": INTERNAL}, interfaces=["br-proxy", "br-sync"])
        | {"networking_proxy_gateway": "10.9.0.1"},
        "kept as they are: network docker_proxy has gateway 10.203.10.1 instead of 10.9.0.1",
    ),
    "nobody-in-it": (host({"docker_proxy": {**OLD, "containers": []}}) | {"networking_recreate": True}, ""),
    "beside-others": (
        host({}, firewall={"usable": True, "others": ["ufw is enabled; its rules and ours hold side by side", STOCK]}),
        f"beside the firewall table of this stack, ufw is enabled; its rules and ours hold side by side; {STOCK}",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Run:
    hosts = {name: variables for name, (variables, _words) in [*BAD.items(), *GOOD.items()]}
    shared = {"stack_network_proxy": "docker_proxy", "stack_network_internal": "docker_syncbricks"}
    return run_preflight(tmp_path_factory.mktemp("networking"), "networking", hosts, **shared)


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence(told: Run, name: str) -> None:
    told.refuses(name, BAD[name][1])


@pytest.mark.parametrize("name", GOOD)
def test_good_input_passes_and_what_stays_as_it_is_is_said(told: Run, name: str) -> None:
    assert "fatal:" not in told.of_host(name)
    assert GOOD[name][1] in " ".join(told.output.split())

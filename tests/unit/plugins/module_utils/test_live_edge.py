# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One way to every public service, and none past it: labels, rules and records against each other."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live import edge

TRAEFIK = "http://traefik:80"
HOST = "memory.example.org"
PUBLIC = [{"name": "memory-gateway", "host": HOST, "port": 8090}]
END = {"service": "http_status:404"}
RULES = [{"hostname": HOST, "service": TRAEFIK}, {"hostname": "ssh.example.org", "service": "ssh://10.0.0.4:22"}, END]


def container(name: str, rule: str = "", **more: Any) -> dict[str, Any]:
    labels = {"traefik.enable": "true", f"traefik.http.routers.{name}.rule": rule} if rule else {}
    return {"Names": [f"/{name}"], "State": "running", "Status": "Up 2 minutes (healthy)", "Labels": labels, **more}


MEMORY = container("memory-gateway", f"Host(`{HOST}`)", Ports=[{"PrivatePort": 8090, "Type": "tcp"}])
VALKEY = container("valkey", Ports=[{"IP": "127.0.0.1", "PrivatePort": 6379, "PublicPort": 6379, "Type": "tcp"}])


def problems(*containers: dict[str, Any], **more: Any) -> list[str]:
    asked: dict[str, Any] = {"internal": ["valkey"], "rules": RULES, "cnames": [HOST], **more}
    return edge.problems_of(list(containers or (MEMORY, VALKEY)), PUBLIC, **asked)


def test_one_router_one_rule_one_record_is_as_it_should_be() -> None:
    assert problems() == []
    assert problems(rules=None, cnames=None) == []


@pytest.mark.parametrize(
    ("rule", "hosts"),
    [
        ("Host(`a.example.org`)", ["a.example.org"]),
        ("Host(`B.example.org`) && PathPrefix(`/x`) || Host(`a.example.org`)", ["a.example.org", "b.example.org"]),
        ("Host(`a.example.org`, `b.example.org`)", ["a.example.org", "b.example.org"]),
        ('host("a.example.org")', ["a.example.org"]),
        ("HostRegexp(`.+`)", []),
        ("PathPrefix(`/`)", []),
    ],
)
def test_hosts_of_a_rule(rule: str, hosts: list[str]) -> None:
    assert edge.hosts_of(rule) == hosts


def test_routes_are_those_of_running_containers_that_are_not_switched_off() -> None:
    off = container("off", "Host(`off.example.org`)")
    off["Labels"]["traefik.enable"] = "false"
    stopped = container("stopped", "Host(`s.example.org`)", State="exited")
    assert edge.routes_of([off, stopped, MEMORY, VALKEY]) == [
        {"container": "memory-gateway", "router": "memory-gateway", "hosts": [HOST]}
    ]


@pytest.mark.parametrize(
    ("containers", "words"),
    [
        ([VALKEY], f"{HOST} has no backend: container memory-gateway is not there"),
        ([{**MEMORY, "State": "exited"}], f"{HOST} has no backend: container memory-gateway is exited"),
        ([{**MEMORY, "Labels": {}}], f"{HOST} has no router: container memory-gateway lacks the labels"),
        ([{**MEMORY, "Status": "Up 1 hour (unhealthy)"}], f"the backend of {HOST}, memory-gateway, is unhealthy"),
        ([{**MEMORY, "Status": "Up 1 second (health: starting)"}], "memory-gateway, is not healthy yet"),
        ([MEMORY, container("copy", f"Host(`{HOST}`)")], f"{HOST} is routed 2 times, to copy (router copy) and"),
        ([{**MEMORY, "Labels": {}}, container("copy", f"Host(`{HOST}`)")], f"{HOST} is routed to copy instead of"),
        (
            [MEMORY, container("valkey", "Host(`v.example.org`)")],
            "valkey is internal, but Traefik routes v.example.org",
        ),
        (
            [{**MEMORY, "Ports": [{"IP": "0.0.0.0", "PrivatePort": 8090, "PublicPort": 8090, "Type": "tcp"}]}],
            "memory-gateway is published on 0.0.0.0:8090, past Traefik",
        ),
    ],
    ids=["gone", "stopped", "labels", "unhealthy", "starting", "twice", "elsewhere", "internal", "published"],
)
def test_what_is_wrong_with_containers_is_one_sentence(containers: list[dict[str, Any]], words: str) -> None:
    found = problems(*copy.deepcopy(containers))
    assert len(found) == 1 and words in found[0]


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (RULES[1:], f"the tunnel has no rule for {HOST} instead of one"),
        ([RULES[0], *RULES], f"the tunnel has 2 rules for {HOST} instead of one"),
        ([{"hostname": HOST, "service": "http://memory-gateway:8090"}, END], "memory-gateway:8090, past Traefik at"),
        ([{**RULES[0], "path": "^/api"}, END], f"leads only the path ^/api of {HOST} to Traefik"),
        ([{"hostname": "*.example.org", "service": TRAEFIK}, *RULES], "*.example.org comes before that for"),
        (
            [*RULES[:1], {"hostname": "x.example.org", "service": "tcp://valkey:6379"}, END],
            "to tcp://valkey:6379, past",
        ),
        (
            [*RULES[:1], {"service": "http://memory-gateway:8090"}],
            "leads everything else to http://memory-gateway:8090",
        ),
    ],
    ids=["none", "two", "past", "path", "hidden", "internal", "catch-all"],
)
def test_what_is_wrong_with_rules_is_one_sentence(rules: list[dict[str, Any]], words: str) -> None:
    found = problems(rules=rules)
    assert len(found) == 1 and words in found[0]


def test_a_host_without_its_record_is_told() -> None:
    assert problems(cnames=["other.example.org"]) == [f"no proxied CNAME leads {HOST} to the tunnel"]


@pytest.mark.parametrize(
    ("labels", "taken"),
    [
        ({"rule": "PathPrefix(`/`)"}, False),
        ({"rule": "PathPrefix(`/`)", "priority": "1000"}, True),
        ({"rule": "PathPrefix(`/`)", "priority": "1000", "entrypoints": "other"}, False),
        ({"rule": "PathPrefix(`/api`)", "priority": "0"}, False),
        ({"rule": r"HostRegexp(`^(memory|planner)\.example\.org$`) && PathPrefix(`/`)"}, True),
        ({"rule": r"HostRegexp(`^(wiki|planner)\.example\.org$`) && PathPrefix(`/`)"}, False),
        ({"rule": r"HostRegexp(`^[a-z]+\.example\.net$`)", "priority": "1000"}, False),
        ({"rule": "HostRegexp(`(?P<broken`)", "priority": "1000"}, True),
        ({"rule": "Host(`wiki.example.org`)", "priority": "1000"}, False),
    ],
)
def test_a_rule_without_a_host_that_ranks_above_ours_is_told(labels: dict[str, str], taken: bool) -> None:
    claimant = container("claimant", labels["rule"])
    claimant["Labels"].update({f"traefik.http.routers.claimant.{key}": value for key, value in labels.items()})
    told = problems(MEMORY, VALKEY, claimant)
    assert told == (
        [f"requests of memory.example.org go to claimant (router claimant), whose rule {labels['rule']} ranks above"
         " that of memory-gateway"] if taken else []
    )  # fmt: skip

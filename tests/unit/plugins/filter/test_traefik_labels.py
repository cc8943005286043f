# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.bestviable.planner_memory.plugins.filter.traefik_labels import FilterModule, traefik_labels

MEMORY = {"name": "memory-gateway", "host": "memory.bestviable.com", "port": 8090}


@pytest.mark.parametrize(
    ("name", "host", "port"),
    [
        pytest.param("memory-gateway", "memory.bestviable.com", 8090, id="6.1"),
        pytest.param("planner-engine", "planner.bestviable.com", 8091, id="6.2"),
        pytest.param("scheduler-engine", "scheduler.bestviable.com", 8092, id="6.3"),
    ],
)
def test_the_labels_of_the_specification(name, host, port):
    assert traefik_labels({"name": name, "host": host, "port": port}) == {
        "traefik.enable": "true",
        f"traefik.http.routers.{name}.rule": f"Host(`{host}`)",
        f"traefik.http.routers.{name}.entrypoints": "web",
        f"traefik.http.services.{name}.loadbalancer.server.port": str(port),
        "traefik.docker.network": "docker_proxy",
    }


def test_network_and_entrypoint_can_be_named():
    labels = traefik_labels(MEMORY, "edge", entrypoint="websecure")
    assert labels["traefik.docker.network"] == "edge"
    assert labels["traefik.http.routers.memory-gateway.entrypoints"] == "websecure"


def test_a_port_may_come_as_text():
    assert traefik_labels({**MEMORY, "port": "8090"}) == traefik_labels(MEMORY)


@pytest.mark.parametrize(
    ("service", "words"),
    [
        pytest.param({"name": "observer-agent", "host": "", "port": 8093}, "'observer-agent' is internal", id="empty"),
        pytest.param({"name": "observer-agent", "host": None, "port": 8093}, "is internal", id="host none"),
        pytest.param({"name": "valkey", "port": 6379}, "'valkey' is internal", id="no host"),
        pytest.param({**MEMORY, "public": False}, "is internal \\(public is false\\)", id="not public"),
        pytest.param({**MEMORY, "host": "a`) || Host(`b"}, "is not a host name", id="rule injection"),
        pytest.param({**MEMORY, "host": "http://memory"}, "is not a host name", id="url"),
        pytest.param({**MEMORY, "name": "Memory Gateway"}, "cannot name a router", id="name"),
        pytest.param({**MEMORY, "name": ""}, "cannot name a router", id="no name"),
        pytest.param({**MEMORY, "port": 0}, "not a number from 1 to 65535", id="port 0"),
        pytest.param({**MEMORY, "port": 65536}, "not a number from 1 to 65535", id="port too high"),
        pytest.param({**MEMORY, "port": True}, "not a number from 1 to 65535", id="port true"),
        pytest.param({**MEMORY, "port": "http"}, "not a number from 1 to 65535", id="port text"),
        pytest.param("memory-gateway", "wants a mapping", id="not a mapping"),
    ],
)
def test_what_cannot_be_routed_is_refused_in_one_sentence(service, words):
    with pytest.raises(AnsibleFilterError, match=words) as caught:
        traefik_labels(service)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message


def test_no_network_is_refused():
    with pytest.raises(AnsibleFilterError, match="needs the name of the network"):
        traefik_labels(MEMORY, "")


def test_the_plugin_offers_the_filter():
    assert FilterModule().filters() == {"traefik_labels": traefik_labels}

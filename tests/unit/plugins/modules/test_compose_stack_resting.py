# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which projects a check run of compose_stack takes for such as cannot be asked yet."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.model import Port, read

from tests.support.compose import DEFINITION, Run
from tests.support.fake_docker import FakeDocker

OPEN = DEFINITION + "    ports: ['127.0.0.1:6333:6333']\n"
PAIR = "    networks: [outside, inner]\nnetworks: {outside: {external: true}, inner: {external: true}}\n"


def rests(run: Run, definition: str, **options: Any) -> dict[str, bool]:
    seen = run(definition, check=True, **options)["projects"]
    return {name: one["resting"] for name, one in seen.items()}


@pytest.mark.parametrize(
    ("definition", "resting"),
    [
        (OPEN, False),
        (OPEN.replace("200m", "100m"), False),
        (OPEN.replace(":6333:", ":16333:"), True),
        (OPEN.replace("127.0.0.1:", "10.0.0.1:"), True),
        (OPEN.replace("127.0.0.1:6333:6333", "127.0.0.1:6333:6334"), True),
        (DEFINITION, False),
    ],
)
def test_what_is_to_be_published_elsewhere_cannot_be_asked_there_yet(run: Run, definition: str, resting: bool) -> None:
    run(OPEN)
    assert rests(run, definition) == {"web": resting}


def test_a_network_that_was_lost_matters_where_the_port_went_with_it(docker: FakeDocker, run: Run) -> None:
    docker.networks["inner"] = "net-inner"
    run(OPEN + PAIR)
    seen = docker.containers["web"]["NetworkSettings"]
    del seen["Networks"]["outside"]
    assert run(OPEN + PAIR, check=True)["actions"] == ["web: recreate (not attached to network outside)"]
    assert rests(run, OPEN + PAIR) == {"web": False}
    seen["Ports"] = {}
    assert rests(run, OPEN + PAIR) == {"web": True}


def test_who_comes_after_another_rests_with_it_unless_that_one_works(docker: FakeDocker, run: Run) -> None:
    docker.networks["inner"] = "net-inner"
    text = PAIR.replace("outside, inner]", "inner]")
    base = OPEN.replace("web", "base").replace("    env_file: [base.env]\n", "").replace("6333", "5432")

    def now(first: str = base) -> dict[str, bool]:
        more = [{"name": "base", "definition": first + text}]
        return rests(run, OPEN + PAIR, project={"after": ["base", "elsewhere"]}, more=more)

    run(OPEN + PAIR, project={"after": ["base"]}, more=[{"name": "base", "definition": base + text}])
    assert now() == {"web": False, "base": False}
    assert now(base.replace("5432:", "15432:", 1)) == {"web": False, "base": True}
    networks = docker.containers["web"]["NetworkSettings"]["Networks"]
    inner = networks.pop("inner")
    assert now() == {"web": True, "base": False}
    networks["inner"] = inner
    docker.containers["base"]["State"]["Status"] = "exited"
    assert now() == {"web": True, "base": True}
    del docker.containers["base"]
    assert now() == {"web": True, "base": False}
    docker.containers.clear()
    assert now() == {"web": False, "base": False}


@pytest.mark.parametrize(
    ("ports", "read_as"),
    [
        ("['127.0.0.1:80:8080']", [Port("127.0.0.1", "80", "8080/tcp")]),
        ("['80:8080/udp', 9090]", [Port("", "80", "8080/udp"), Port("", "", "9090/tcp")]),
        ("['[::1]:80:8080']", [Port("::1", "80", "8080/tcp")]),
        ("[{target: 8080, published: '80', host_ip: 127.0.0.1}]", [Port("127.0.0.1", "80", "8080/tcp")]),
        ("[{target: 8080, protocol: udp}]", [Port("", "", "8080/udp")]),
        ("['3000-3005:3000-3005', '${PORT}:80', '${IP}:80:80']", []),
    ],
)
def test_ports_are_read_in_every_form_and_left_out_where_only_compose_knows_them(
    ports: str, read_as: list[Port]
) -> None:
    service = read("web", f"services: {{web: {{image: 'img:1', ports: {ports}}}}}").services["web"]
    assert list(service.ports) == read_as

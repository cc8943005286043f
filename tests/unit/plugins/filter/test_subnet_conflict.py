from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.bestviable.planner_memory.plugins.filter.subnet_conflict import subnet_conflict

SUBNETS = {"bridge": ["172.17.0.0/16"], "docker_proxy": ["10.203.10.0/24"], "six": ["fd00::/64"], "host": []}


@pytest.mark.parametrize(
    ("subnet", "words"),
    [
        ("10.203.10.0/24", ""),
        ("10.203.20.0/24", ""),
        ("172.17.5.0/24", "networking_proxy_subnet is 172.17.5.0/24, but network bridge already holds 172.17.0.0/16"),
        ("10.203.0.0", "networking_proxy_subnet is 10.203.0.0, without room for containers: write an address range"),
        ("ten", "networking_proxy_subnet is ten: write an address range"),
        ("10.203.10.1/24", "networking_proxy_subnet is 10.203.10.1/24: write an address range"),
    ],
)
def test_a_held_range_names_its_network(subnet: str, words: str) -> None:
    said = subnet_conflict(SUBNETS, subnet, "docker_proxy", "networking_proxy_subnet")
    assert said.startswith(words) and bool(said) is bool(words)


def test_something_else_than_subnets_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="wants the subnets of host_info, but got list"):
        subnet_conflict([], "10.0.0.0/24", "docker_proxy", "networking_proxy_subnet")

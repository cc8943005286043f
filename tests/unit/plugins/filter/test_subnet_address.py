from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.bestviable.planner_memory.plugins.filter.subnet_address import FilterModule, subnet_address


@pytest.mark.parametrize(
    ("subnet", "number", "address"),
    [
        ("10.203.10.0/24", -1, "10.203.10.254"),
        ("10.203.10.0/24", 1, "10.203.10.1"),
        ("10.203.10.8/29", -2, "10.203.10.13"),
        ("fd00::/64", -1, "fd00::ffff:ffff:ffff:ffff"),
    ],
)
def test_addresses(subnet: str, number: int, address: str) -> None:
    assert subnet_address(subnet, number) == address


@pytest.mark.parametrize(("subnet", "number"), [("ten", -1), ("10.0.0.0/24", 256), ("10.0.0.1/24", 1)])
def test_what_has_no_such_address_is_one_sentence(subnet: str, number: int) -> None:
    with pytest.raises(AnsibleFilterError, match=f"{subnet} is no address range with an address {number}"):
        subnet_address(subnet, number)


def test_the_plugin_offers_the_filter() -> None:
    assert FilterModule().filters() == {"subnet_address": subnet_address}

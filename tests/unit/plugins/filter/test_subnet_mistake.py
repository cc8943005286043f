# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.bestviable.planner_memory.plugins.filter.subnet_mistake import FilterModule, subnet_mistake


@pytest.mark.parametrize(
    ("address", "subnet"),
    [("10.0.0.1", "10.0.0.0/24"), ("10.0.0.254", "10.0.0.0/24"), ("fd00::9", "fd00::/64"), ("10.0.1.1", "ten")],
)
def test_addresses_that_fit_and_ranges_that_are_none(address: str, subnet: str) -> None:
    assert subnet_mistake(address, subnet, "gateway", "subnet") == ""


@pytest.mark.parametrize("address", ["10.0.1.1", "10.0.0.0", "10.0.0.255", "fd00::1", "ten", ""])
def test_what_is_no_hosts_address_is_one_sentence(address: str) -> None:
    sentence = subnet_mistake(address, "10.0.0.0/24", "gateway", "subnet")
    assert sentence == (
        f"gateway is {address}, which is no host's address in subnet (10.0.0.0/24): write one such as 10.0.0.1"
    )


def test_the_plugin_offers_the_filter() -> None:
    assert FilterModule().filters() == {"subnet_mistake": subnet_mistake}

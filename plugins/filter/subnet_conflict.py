# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError


def subnet_conflict(subnets: Any, subnet: Any, network: str, variable: str) -> str:
    """Which other network holds part of an address range, as a sentence; empty when none does."""
    if not isinstance(subnets, dict):
        raise AnsibleFilterError(f"subnet_conflict wants the subnets of host_info, but got {type(subnets).__name__}.")
    try:
        wanted = ipaddress.ip_network(str(subnet))
    except ValueError:
        return f"{variable} is {subnet}: write an address range such as 10.203.10.0/24"
    if wanted.num_addresses < 8:
        return f"{variable} is {subnet}, without room for containers: write an address range such as 10.203.10.0/24"
    for name, ranges in sorted(subnets.items()):
        for held in map(ipaddress.ip_network, map(str, ranges)):
            if name != network and held.version == wanted.version and held.overlaps(wanted):
                holder = name if name.startswith("the ") else f"network {name}"
                return f"{variable} is {subnet}, but {holder} already holds {held}: choose a free range"
    return ""


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"subnet_conflict": subnet_conflict}

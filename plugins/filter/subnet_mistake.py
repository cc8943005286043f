# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any


def subnet_mistake(address: Any, subnet: Any, variable: str, subnet_variable: str) -> str:
    """Why an address is no host's in an address range, as a sentence; empty where it is one, or the range is none."""
    try:
        network = ipaddress.ip_network(str(subnet))
    except ValueError:
        return ""
    try:
        seen = ipaddress.ip_address(str(address))
        ends = (network.network_address, network.broadcast_address)
        fits = seen in network and (seen not in ends or network.num_addresses <= 2)
    except ValueError:
        fits = False
    if fits:
        return ""
    return (
        f"{variable} is {address}, which is no host's address in {subnet_variable} ({network}): write one such as"
        f" {network[min(1, network.num_addresses - 1)]}"
    )


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"subnet_mistake": subnet_mistake}

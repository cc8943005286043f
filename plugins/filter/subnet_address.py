# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError


def subnet_address(subnet: Any, number: int = -1) -> str:
    """One host's address in an address range; -1 is the last that a host can have."""
    try:
        network = ipaddress.ip_network(str(subnet))
        last = network.num_addresses - (1 if network.version == 4 and network.num_addresses > 2 else 0)
        place = int(number) if int(number) >= 0 else last + int(number)
        if not 0 <= place < network.num_addresses:
            raise ValueError("outside")
    except ValueError:
        raise AnsibleFilterError(
            f"subnet_address: {subnet} is no address range with an address {number}; write one such as 10.203.10.0/24."
        ) from None
    return str(network[place])


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"subnet_address": subnet_address}

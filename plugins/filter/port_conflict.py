# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

EVERYWHERE = ("0.0.0.0", "::")


def port_conflict(listeners: Any, port: Any, container: str, address: str = "127.0.0.1", variable: str = "") -> str:
    """Who else listens where a container is to be published, as a sentence; empty when nobody does."""
    if not isinstance(listeners, list):
        raise AnsibleFilterError(f"port_conflict wants the listeners of host_info, but got {type(listeners).__name__}.")
    try:
        number = int(port)
    except (TypeError, ValueError):
        return ""
    for one in listeners:
        if isinstance(one, Mapping) and one.get("port") == number and one.get("container") != container:
            there = str(one.get("address"))
            if there == address or there in EVERYWHERE or address in EVERYWHERE:
                option = variable or f"{container.replace('-', '_')}_port"
                return f"port {number} on {there} is taken by {_holder(one)}: stop it or set {option}"
    return ""


def _holder(listener: Mapping[str, Any]) -> str:
    if listener.get("container"):
        return f"container {listener['container']}"
    if listener.get("pid") is None:
        return "a process that cannot be seen from here"
    return f"{listener.get('process') or 'a process'} (pid {listener['pid']})"


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"port_conflict": port_conflict}

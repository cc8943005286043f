# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.bestviable.planner_memory.plugins.filter.traefik_labels import HOST


def is_public(service: Mapping[str, Any]) -> bool:
    """What says so, else what has a host."""
    said = service.get("public")
    return bool(service.get("host")) if said is None else str(said).lower() in ("true", "yes", "1")


def route_mistakes(services: Any, routes: Any = None) -> list[str]:
    """Why services cannot be told apart by their public hosts, a sentence each."""
    if not isinstance(services, Mapping):
        raise AnsibleFilterError(
            f"route_mistakes wants a mapping of names to services, but got {type(services).__name__}."
        )
    found: list[str] = []
    owners: dict[str, list[str]] = {}
    for name, service in services.items():
        host = str(service.get("host") or "")
        if is_public(service) and not host:
            found.append(
                f"{name} is public and has no host, so nobody could reach it: write one such as"
                " memory.example.org, or say public: false"
            )
        elif host and not is_public(service):
            found.append(
                f"{name} is internal (public is false) and has the host {host}, which would put it on the internet:"
                " take the host out, or say public: true"
            )
        elif host and not HOST.fullmatch(host):
            found.append(f"the host of {name} is '{host}', which is no host name: write it like memory.example.org")
        elif host:
            owners.setdefault(host, []).append(str(name))
    for host, names in owners.items():
        if len(names) > 1:
            found.append(f"{' and '.join(names)} have the same host {host}: a host leads to one service, so change one")
        theirs = [
            route
            for route in routes or []
            if host in (route.get("hosts") or []) and route.get("container") not in services
        ]
        found += [
            f"the host {host} of {names[0]} is taken by container {route['container']} (router {route['router']}),"
            " which is not of this stack: stop that container, or choose another host"
            for route in theirs
        ]
    return found


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"route_mistakes": route_mistakes}

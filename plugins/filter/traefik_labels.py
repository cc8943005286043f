# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
HOST = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


def _port(value: Any) -> int | None:
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,5}", str(value)):
        return None
    port = int(value)
    return port if 1 <= port <= 65535 else None


def traefik_labels(service: Any, network: str = "docker_proxy", entrypoint: str = "web") -> dict[str, str]:
    """The labels by which Traefik routes a public host name to a service."""
    if not isinstance(service, Mapping):
        raise AnsibleFilterError(
            f"traefik_labels wants a mapping with name, host and port, but got {type(service).__name__}."
        )
    name = str(service.get("name") or "")
    if not NAME.fullmatch(name):
        raise AnsibleFilterError(
            f"traefik_labels: the service name {name!r} cannot name a router; use small letters, digits and dashes."
        )
    host = str(service.get("host") or "")
    if service.get("public", True) is False:
        raise AnsibleFilterError(
            f"traefik_labels: service '{name}' is internal (public is false), so it must not get Traefik labels;"
            " say public: true or leave the filter out."
        )
    if not host:
        raise AnsibleFilterError(
            f"traefik_labels: service '{name}' is internal (it has no public host), so it must not get Traefik labels;"
            " give it a host or leave the filter out."
        )
    if not HOST.fullmatch(host):
        raise AnsibleFilterError(
            f"traefik_labels: the host {host!r} of service '{name}' is not a host name; write it like a.example.org."
        )
    port = _port(service.get("port"))
    if port is None:
        raise AnsibleFilterError(
            f"traefik_labels: the port {service.get('port')!r} of service '{name}' is not a number from 1 to 65535."
        )
    if not network:
        raise AnsibleFilterError(
            f"traefik_labels: service '{name}' needs the name of the network that it shares with Traefik."
        )
    return {
        "traefik.enable": "true",
        f"traefik.http.routers.{name}.rule": f"Host(`{host}`)",
        f"traefik.http.routers.{name}.entrypoints": str(entrypoint),
        f"traefik.http.services.{name}.loadbalancer.server.port": str(port),
        "traefik.docker.network": str(network),
    }


class FilterModule:
    """Filters of bestviable.planner_memory for Traefik."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"traefik_labels": traefik_labels}

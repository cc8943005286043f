# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Compose definition from what the engine says of containers, where their own file is gone or broken. No I/O."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._retire.model import (
    LABEL,
    labels_of,
    name_of,
    service_of,
    volumes_of,
)

BUILT_IN = ("bridge", "default", "host", "none")


def definition(
    project: str,
    containers: Sequence[Mapping[str, Any]],
    images: Mapping[str, Mapping[str, Any]],
    networks: Mapping[str, str],
) -> dict[str, Any]:
    """:param images: inspections by id: what comes with the image is no configuration
    :param networks: the stack's own networks with the name that Compose gave each; others are external
    """
    services: dict[str, Any] = {}
    used_networks: dict[str, Any] = {}
    used_volumes: dict[str, Any] = {}
    for container in containers:
        body = _service(container, (images.get(container["Image"]) or {}).get("Config") or {})
        joined = {networks.get(name) or name: how for name, how in (body.get("networks") or {}).items()}
        for name in body.get("networks") or {}:
            own = {"name": name} if name in networks else {"name": name, "external": True}
            used_networks[networks.get(name) or name] = own
        body = {**body, **({"networks": joined} if joined else {})}
        for name in volumes_of(container):
            used_volumes[name] = {"name": name, "external": True}
        services[_free(services, service_of(container), name_of(container))] = body
    found = {"name": project, "services": services, "networks": used_networks, "volumes": used_volumes}
    return {key: _escaped(value) for key, value in found.items() if value}


def _free(taken: Mapping[str, Any], service: str, name: str) -> str:
    return name if service in taken else service


def _service(container: Mapping[str, Any], image: Mapping[str, Any]) -> dict[str, Any]:
    config, host = container["Config"], container["HostConfig"]
    restart = host.get("RestartPolicy") or {}
    retries = restart.get("MaximumRetryCount") or 0
    policy = restart.get("Name") or "no"
    own = {
        "image": config["Image"],
        "container_name": name_of(container),
        "command": _unless(config.get("Cmd"), image.get("Cmd")),
        "entrypoint": _unless(config.get("Entrypoint"), image.get("Entrypoint")),
        "user": _unless(config.get("User"), image.get("User")),
        "working_dir": _unless(config.get("WorkingDir"), image.get("WorkingDir")),
        "environment": _environment(config.get("Env") or [], image.get("Env") or []),
        "labels": _labels(container, image.get("Labels") or {}),
        "ports": _ports(host.get("PortBindings") or {}),
        "volumes": [_mount(one) for one in container.get("Mounts") or [] if one.get("Type") in ("bind", "volume")],
        "tmpfs": [f"{path}:{words}" if words else path for path, words in (host.get("Tmpfs") or {}).items()],
        "restart": policy + (f":{retries}" if retries else ""),
        "mem_limit": str(host["Memory"]) if host.get("Memory") else None,
        "cpus": host["NanoCpus"] / 1e9 if host.get("NanoCpus") else None,
        "read_only": host.get("ReadonlyRootfs") or None,
        "privileged": host.get("Privileged") or None,
        "init": host.get("Init") or None,
        "cap_add": host.get("CapAdd"),
        "cap_drop": host.get("CapDrop"),
        "security_opt": host.get("SecurityOpt"),
        "extra_hosts": host.get("ExtraHosts"),
        "healthcheck": _health(_unless(config.get("Healthcheck"), image.get("Healthcheck"))),
        "logging": _logging(host.get("LogConfig") or {}),
        **_network(container),
    }
    found = {key: value for key, value in own.items() if value not in (None, "", [], {})}
    # Without one of its own it would get that of the image.
    return {**found, "entrypoint": []} if image.get("Entrypoint") and not config.get("Entrypoint") else found


def _unless(value: Any, of_image: Any) -> Any:
    return None if value == of_image else value


def _environment(ours: Sequence[str], of_image: Sequence[str]) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in ours if entry not in of_image and "=" in entry)


def _labels(container: Mapping[str, Any], of_image: Mapping[str, str]) -> dict[str, str]:
    return {
        key: value
        for key, value in labels_of(container).items()
        if not key.startswith(f"{LABEL}.") and of_image.get(key) != value
    }


def _ports(bindings: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "target": int(inside.split("/")[0]),
            "protocol": inside.partition("/")[2] or "tcp",
            **({"published": one["HostPort"]} if one.get("HostPort") else {}),
            **({"host_ip": one["HostIp"]} if one.get("HostIp") else {}),
        }
        for inside, places in sorted(bindings.items())
        for one in places or [{}]
    ]


def _mount(mount: Mapping[str, Any]) -> dict[str, Any]:
    source = mount["Name"] if mount["Type"] == "volume" else mount["Source"]
    found = {"type": mount["Type"], "source": source, "target": mount["Destination"]}
    return found if mount.get("RW", True) else {**found, "read_only": True}


def _network(container: Mapping[str, Any]) -> dict[str, Any]:
    mode = container["HostConfig"].get("NetworkMode") or "default"
    if mode in ("host", "none") or mode.startswith("container:"):
        return {"network_mode": mode}
    joined = (container.get("NetworkSettings") or {}).get("Networks") or {}
    named = {name: _endpoint(container, joined[name] or {}) for name in sorted(joined) if name not in BUILT_IN}
    return {"networks": named} if named else {"network_mode": "bridge"}


def _endpoint(container: Mapping[str, Any], endpoint: Mapping[str, Any]) -> dict[str, Any]:
    made = {name_of(container), service_of(container), container["Id"][:12]}
    aliases = [one for one in endpoint.get("Aliases") or [] if one not in made]
    return {"aliases": aliases} if aliases else {}


def _health(check: Optional[Mapping[str, Any]]) -> Optional[dict[str, Any]]:
    if not check or not check.get("Test"):
        return None
    if check["Test"] == ["NONE"]:
        return {"disable": True}
    found: dict[str, Any] = {"test": check["Test"], "retries": check.get("Retries") or None}
    for key, name in (("Interval", "interval"), ("Timeout", "timeout"), ("StartPeriod", "start_period")):
        found[name] = f"{check[key]}ns" if check.get(key) else None
    return {key: value for key, value in found.items() if value is not None}


def _logging(log: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    if not log.get("Config"):
        return None
    return {"driver": log.get("Type"), "options": dict(log["Config"])}


def _escaped(value: Any) -> Any:
    """What Compose shall not fill in."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {key: _escaped(item) for key, item in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list) else value

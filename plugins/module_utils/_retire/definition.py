# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Compose definition from what the engine says of containers, where their own file is gone or broken. No I/O."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Mapping, Optional, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._retire.model import (
    LABEL,
    label,
    labels_of,
    name_of,
    service_of,
    volumes_of,
)

BUILT_IN = ("bridge", "default", "host", "none")
# What the engine gives whom nobody said anything else to.
SHARED_MEMORY = 64 * 2**20
# By the engine's name, settings that Compose takes as they are.
GIVEN = {
    "CpuPeriod": "cpu_period",
    "CpuQuota": "cpu_quota",
    "CpuShares": "cpu_shares",
    "CpusetCpus": "cpuset",
    "CgroupParent": "cgroup_parent",
    "DeviceCgroupRules": "device_cgroup_rules",
    "Dns": "dns",
    "DnsOptions": "dns_opt",
    "DnsSearch": "dns_search",
    "GroupAdd": "group_add",
    "OomKillDisable": "oom_kill_disable",
    "OomScoreAdj": "oom_score_adj",
    "PidMode": "pid",
    "PidsLimit": "pids_limit",
    "StorageOpt": "storage_opt",
    "UTSMode": "uts",
    "UsernsMode": "userns_mode",
}


def definition(
    project: str,
    containers: Sequence[Mapping[str, Any]],
    images: Mapping[str, Mapping[str, Any]],
    networks: Mapping[str, str],
    inspected: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> dict[str, Any]:
    """:param inspected: what the engine says of the stack's own networks, by name
    :param images: inspections by id: what comes with the image is no configuration
    :param networks: the stack's own networks with the name that Compose gave each; others are external
    """
    services: dict[str, Any] = {}
    used_networks: dict[str, Any] = {}
    used_volumes: dict[str, Any] = {}
    for container in containers:
        body = _service(container, (images.get(container["Image"]) or {}).get("Config") or {})
        joined = {networks.get(name) or name: how for name, how in (body.get("networks") or {}).items()}
        for name in body.get("networks") or {}:
            own = (
                _own_network(name, inspected.get(name) or {}) if name in networks else {"name": name, "external": True}
            )
            used_networks[networks.get(name) or name] = own
        body = {**body, **({"networks": joined} if joined else {})}
        for name in volumes_of(container):
            used_volumes[name] = {"name": name, "external": True}
        services[_free(services, service_of(container), name_of(container))] = body
    for container in containers:
        needs = {name: how for name, how in _needs(container).items() if name in services}
        if needs and service_of(container) in services:
            services[service_of(container)]["depends_on"] = needs
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
        "volumes": [
            *(_mount(one) for one in container.get("Mounts") or [] if one.get("Type") in ("bind", "volume")),
            *(_in_memory(one) for one in host.get("Mounts") or [] if one.get("Type") == "tmpfs"),
        ],
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
        **{key: host.get(name) for name, key in GIVEN.items()},
        **_limits(host),
        **_identity(container, image),
        **_network(container),
    }
    found = {key: value for key, value in own.items() if value or (key == "mem_swappiness" and value == 0)}
    # Without one of its own it would get that of the image.
    return {**found, "entrypoint": []} if image.get("Entrypoint") and not config.get("Entrypoint") else found


def _limits(host: Mapping[str, Any]) -> dict[str, Any]:
    swap = host.get("MemorySwap") or 0
    # Twice the memory is what the engine gives by itself.
    swap = None if swap in (0, 2 * (host.get("Memory") or 0)) else str(swap)
    shared = host.get("ShmSize") or 0
    runtime, ipc = host.get("Runtime"), host.get("IpcMode")
    return {
        "memswap_limit": swap,
        "mem_reservation": str(host["MemoryReservation"]) if host.get("MemoryReservation") else None,
        "mem_swappiness": host.get("MemorySwappiness") if host.get("MemorySwappiness") != -1 else None,
        "shm_size": str(shared) if shared not in (0, SHARED_MEMORY) else None,
        "ulimits": {one["Name"]: {"soft": one["Soft"], "hard": one["Hard"]} for one in host.get("Ulimits") or []},
        "sysctls": dict(host.get("Sysctls") or {}),
        "devices": [
            f"{one['PathOnHost']}:{one['PathInContainer']}:{one.get('CgroupPermissions') or 'rwm'}"
            for one in host.get("Devices") or []
        ],
        "runtime": runtime if runtime not in ("runc", "io.containerd.runc.v2") else None,
        "ipc": ipc if ipc in ("host", "none", "shareable") else None,
    }


def _identity(container: Mapping[str, Any], image: Mapping[str, Any]) -> dict[str, Any]:
    config, host = container["Config"], container["HostConfig"]
    mine = config.get("Hostname") != container["Id"][:12] and host.get("NetworkMode") != "host"
    seconds = config.get("StopTimeout")
    return {
        "hostname": config.get("Hostname") if mine else None,
        "domainname": config.get("Domainname"),
        "stop_signal": _unless(config.get("StopSignal"), image.get("StopSignal")),
        "stop_grace_period": None if seconds is None else f"{seconds}s",
        "tty": config.get("Tty") or None,
        "stdin_open": config.get("OpenStdin") or None,
    }


def _needs(container: Mapping[str, Any]) -> dict[str, Any]:
    """What Compose noted of ``depends_on``: service, condition, and whether to restart with it."""
    found = {}
    for entry in label(container, "depends_on").split(","):
        name, _sign, rest = entry.partition(":")
        condition, _sign, restart = rest.partition(":")
        if name:
            restarts = {"restart": True} if restart == "true" else {}
            found[name] = {"condition": condition or "service_started", **restarts}
    return found


def _own_network(name: str, network: Mapping[str, Any]) -> dict[str, Any]:
    ipam = network.get("IPAM") or {}
    names = {"Subnet": "subnet", "Gateway": "gateway", "IPRange": "ip_range", "AuxiliaryAddresses": "aux_addresses"}
    config = [{key: one[told] for told, key in names.items() if one.get(told)} for one in ipam.get("Config") or []]
    driver = ipam.get("Driver")
    addresses = {
        "driver": driver if driver != "default" else None,
        "config": [one for one in config if one],
        "options": ipam.get("Options"),
    }
    own = {
        "driver": network.get("Driver") if network.get("Driver") != "bridge" else None,
        "driver_opts": network.get("Options"),
        "internal": network.get("Internal"),
        "attachable": network.get("Attachable"),
        "enable_ipv6": network.get("EnableIPv6"),
        "labels": {
            key: value for key, value in (network.get("Labels") or {}).items() if not key.startswith(f"{LABEL}.")
        },
        "ipam": {key: value for key, value in addresses.items() if value},
    }
    return {"name": name, **{key: value for key, value in own.items() if value}}


def _in_memory(mount: Mapping[str, Any]) -> dict[str, Any]:
    given = mount.get("TmpfsOptions") or {}
    options = {"size": given.get("SizeBytes"), "mode": given.get("Mode")}
    told = {key: value for key, value in options.items() if value}
    return {"type": "tmpfs", "target": mount["Target"], **({"tmpfs": told} if told else {})}


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
    if mount["Type"] == "bind" and mount.get("Propagation") not in (None, "", "rprivate"):
        found["bind"] = {"propagation": mount["Propagation"]}
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
    given = endpoint.get("IPAMConfig") or {}
    found = {"aliases": aliases, "ipv4_address": given.get("IPv4Address"), "ipv6_address": given.get("IPv6Address")}
    return {key: value for key, value in found.items() if value}


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

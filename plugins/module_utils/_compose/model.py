# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Compose file says, as far as it can be judged without running anything."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Iterator, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._docker import docker_bytes
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError

try:
    import yaml
except ImportError:
    yaml = None  # type: ignore[assignment]

PROJECT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
# The engine counts billionths of a CPU, Compose in single precision: further digits differ without a reason.
CPU_DIGITS = 3
MEMORY_OPTIONS = ("mem_limit", "mem_reservation", "memswap_limit", "shm_size")


@dataclass(frozen=True)
class Port:
    """A port of a container on an address of the host; no address means every one, no number any one."""

    address: str
    number: str
    inside: str


@dataclass(frozen=True)
class Service:
    """One service in the form that the engine can be compared with; None means "not managed"."""

    name: str
    container: Optional[str]
    image: str
    built: bool
    replicas: int
    memory: Optional[int]
    memory_swap: Optional[int]
    cpus: Optional[float]
    restart: Optional[str]
    networks: Optional[tuple[str, ...]]
    env_files: tuple[str, ...]
    mounts: tuple[str, ...]
    ports: tuple[Port, ...]
    digest: str

    @property
    def runs_once(self) -> bool:
        return self.restart == "no"


@dataclass(frozen=True)
class Definition:
    services: Mapping[str, Service]
    external_networks: tuple[str, ...]
    volumes: tuple[str, ...]


def sha(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def interpolated(value: Any) -> bool:
    return "$" in str(value)


def read(project: str, text: str, model: Optional[Mapping[str, Any]] = None) -> Definition:
    """Parse and judge the text of a Compose file.

    :param model: the same as data, for hosts where PyYAML is missing
    """
    data = model if model is not None else _parse(project, text)
    if not isinstance(data, Mapping) or not isinstance(data.get("services"), Mapping) or not data["services"]:
        raise StackError(f"the definition of project '{project}' has no 'services'; give it at least one service")
    _refuse_odd_names(project, data)
    names = {key: _real_name(project, key, value) for key, value in _section(project, data, "networks").items()}
    rest = {key: value for key, value in data.items() if key != "services" and not str(key).startswith("x-")}
    services = {
        str(name): _service(project, str(name), body, names, rest) for name, body in data["services"].items()
        if not (isinstance(body, Mapping) and body.get("profiles"))
    }  # fmt: skip
    return Definition(
        services=services,
        external_networks=tuple(
            sorted(names[key] for key, value in _section(project, data, "networks").items() if _external(value))
        ),
        volumes=tuple(
            sorted(
                _real_name(project, key, value)
                for key, value in _section(project, data, "volumes").items()
                if not _external(value)
            )
        ),
    )


def _parse(project: str, text: str) -> Any:
    if yaml is None:
        raise StackError(
            f"the definition of project '{project}' cannot be read because PyYAML is missing on the host;"
            " install python3-yaml there, or give 'model' beside 'definition'"
        )
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        place = f" at line {where.line + 1}" if where else ""
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        raise StackError(f"the definition of project '{project}' is not YAML{place}: {problem}") from error
    except ValueError as error:
        raise StackError(
            f"the definition of project '{project}' has a date that is none ({error}); put it in quotes"
        ) from error


def _refuse_odd_names(project: str, data: Mapping[str, Any]) -> None:
    """Names that are numbers, truth values or dates for YAML have no order beside others, and are none for Compose."""
    try:
        sha(data)
    except TypeError as error:
        odd = next(_odd_names(data), "of an odd kind")
        raise StackError(
            f"the definition of project '{project}' has the name {odd}, which is no text for YAML; put it in quotes"
        ) from error
    except ValueError as error:
        raise StackError(f"the definition of project '{project}' contains itself; remove that alias") from error


def _odd_names(node: Any) -> Iterator[Any]:
    for value in node.values() if isinstance(node, Mapping) else node if isinstance(node, (list, tuple)) else ():
        yield from _odd_names(value)
    yield from (name for name in node if not isinstance(name, str)) if isinstance(node, Mapping) else ()


def _section(project: str, data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = data.get(name) or {}
    if not isinstance(section, Mapping):
        raise StackError(f"'{name}' in the definition of project '{project}' is not a mapping of names")
    return section


def _external(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value.get("external"))


def _real_name(project: str, key: Any, value: Any) -> str:
    if isinstance(value, Mapping) and value.get("name"):
        return str(value["name"])
    if isinstance(value, Mapping) and isinstance(value.get("external"), Mapping):
        return str(value["external"].get("name", key))
    return str(key) if _external(value) else f"{project}_{key}"


def _service(project: str, name: str, body: Any, networks: Mapping[Any, str], rest: Mapping[str, Any]) -> Service:
    where = f"service '{name}' of project '{project}'"
    if not isinstance(body, Mapping):
        raise StackError(f"{where} is not a mapping of options")
    if not body.get("image") and not body.get("build"):
        raise StackError(f"{where} has neither image nor build; name the image that it runs")
    limits = _limits(body)
    for option in MEMORY_OPTIONS:
        memory_bytes(body.get(option), f"option '{option}' of {where}")
    return Service(
        name=name,
        container=body.get("container_name"),
        image=str(body.get("image") or f"{project}-{name}"),
        built=not body.get("image"),
        replicas=_replicas(body, where),
        memory=memory_bytes(
            body.get("mem_limit", limits.get("memory")),
            f"option '{'mem_limit' if 'mem_limit' in body else 'deploy.resources.limits.memory'}' of {where}",
        ),
        memory_swap=memory_bytes(body["memswap_limit"], "memswap_limit") if body.get("memswap_limit") else None,
        cpus=_cpus(body.get("cpus", limits.get("cpus")), where),
        restart=_restart(body),
        networks=_networks(project, body, networks),
        env_files=tuple(_plain_path(entry.get("path") if isinstance(entry, Mapping) else entry)
                        for entry in _as_list(body.get("env_file"))),
        mounts=_mounts(body, rest),
        ports=() if body.get("network_mode") else tuple(_ports(body)),
        digest=sha({"service": body, "rest": rest}),
    )  # fmt: skip


def _limits(body: Mapping[str, Any]) -> Mapping[str, Any]:
    node: Any = body
    for key in ("deploy", "resources", "limits"):
        node = node.get(key) if isinstance(node, Mapping) else None
    return node if isinstance(node, Mapping) else {}


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _plain_path(path: Any) -> str:
    return re.sub(r"^(\./)+", "", str(path)).rstrip("/")


def memory_bytes(value: Any, what: str) -> Optional[int]:
    """Bytes of a Compose size; 0 where none is given, None where only Compose can tell."""
    if value is None:
        return 0
    if interpolated(value):
        return None
    if str(value) == "-1":
        return -1
    found = docker_bytes(value)
    if found is None:
        raise StackError(f"{what} is '{value}', which is no size; write it like 200m or 1g")
    return found


def _cpus(value: Any, where: str) -> Optional[float]:
    if value is None:
        return 0.0
    if interpolated(value):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if number < 0 or isinstance(value, bool):
        raise StackError(f"option 'cpus' of {where} is '{value}', which is no number of CPUs; write it like 0.5")
    return round(number, CPU_DIGITS)


def _restart(body: Mapping[str, Any]) -> Optional[str]:
    policy = body.get("restart")
    if policy is None:
        deploy = body.get("deploy")
        return None if isinstance(deploy, Mapping) and deploy.get("restart_policy") else "no"
    return None if interpolated(policy) else ("no" if policy is False else str(policy))


def _replicas(body: Mapping[str, Any], where: str) -> int:
    deploy = body.get("deploy")
    value = body.get("scale", deploy.get("replicas") if isinstance(deploy, Mapping) else None)
    if value is None:
        return 1
    if not str(value).isdigit():
        raise StackError(f"the number of replicas of {where} is '{value}'; write a whole number")
    return int(value)


def _networks(project: str, body: Mapping[str, Any], networks: Mapping[Any, str]) -> Optional[tuple[str, ...]]:
    if body.get("network_mode"):
        return None
    wanted = list(body.get("networks") or ["default"])
    return tuple(sorted(networks.get(key, f"{project}_{key}") for key in wanted))


def _ports(body: Mapping[str, Any]) -> Iterator[Port]:
    """The published ports, without ranges and what only Compose can fill in."""
    for entry in _as_list(body.get("ports")):
        if isinstance(entry, Mapping):
            address, number, inside = (str(entry.get(key) or "") for key in ("host_ip", "published", "target"))
            protocol = str(entry.get("protocol") or "tcp")
        else:
            address, number, inside = ["", "", *str(entry).partition("/")[0].rsplit(":", 2)][-3:]
            protocol = str(entry).partition("/")[2] or "tcp"
        if inside.isdigit() and (number.isdigit() or not number) and not interpolated(address):
            yield Port(address.strip("[]"), number, f"{inside}/{protocol}")


def _mounts(body: Mapping[str, Any], rest: Mapping[str, Any]) -> tuple[str, ...]:
    """Paths below the project's directory that the service sees."""
    paths: list[str] = []
    for volume in _as_list(body.get("volumes")):
        source = volume.get("source") if isinstance(volume, Mapping) else str(volume).split(":", maxsplit=1)[0]
        if str(source).startswith("."):
            paths.append(_plain_path(source))
    for kind in ("configs", "secrets"):
        sources = rest.get(kind) if isinstance(rest.get(kind), Mapping) else {}
        for entry in _as_list(body.get(kind)):
            found = sources.get(entry.get("source") if isinstance(entry, Mapping) else entry)  # type: ignore[union-attr]
            if isinstance(found, Mapping) and found.get("file"):
                paths.append(_plain_path(found["file"]))
    return tuple(sorted(set(paths)))


def sees(service: Service, path: str) -> bool:
    """Does the service mount this file or a directory above it?"""
    return any(mount in ("", ".", path) or path.startswith(f"{mount}/") for mount in service.mounts)

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is deployed, as the lines of a section: from what the engine says, or from a Compose file that is yet to run."""

from __future__ import annotations

import re
from typing import Any, Callable, Iterable, Mapping, Optional, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._docker import docker_bytes
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError

DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|h|m|s)")
DURATIONS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
Inspection = Mapping[str, Any]
# What follows these in a health command is nobody's to read; a variable is no secret, and -p may be a port.
SECRET_WORD = r"-a|-p|--?pass(?:word)?|--?auth|--?token|--?api-?key|--?secret"
SECRET_OPTION = re.compile(SECRET_WORD, re.IGNORECASE)
SECRETS = (
    re.compile(rf"((?<!\S)(?:{SECRET_WORD})(?:\s+|=))(?!\"?'?\$)(\"[^\"]*\"|'[^']*'|[^\s;|&]+)", re.IGNORECASE),
    re.compile(
        r"(\b\w*(?:pass|pwd|secret|token|auth|key)\w*=)(?!\"?'?\$)(\"[^\"]*\"|'[^']*'|[^\s;|&]+)", re.IGNORECASE
    ),
    re.compile(r"(\b(?:bearer|basic)\s+)(?!\$)([^\s\"']+)", re.IGNORECASE),
    re.compile(r"(://[^\s:/@]*:)(?!\$)([^\s/@]+)(?=@)"),
    re.compile(r"((?<!\S)(?:-u|--user)(?:\s+|=)[\"']?[^\s:\"']+:)(?!\$)([^\s\"']+)"),
    re.compile(r"(\b(?:mysql|maria)\S*\s(?:.*\s)?-p)(?!\s|\$)(\S+)"),
)


def looked_up(
    options: Sequence[Mapping[str, Any]], ask: Callable[[str], Inspection]
) -> tuple[list[Mapping[str, Any]], list[str]]:
    """The services of a task with what their containers are, and a sentence for each of which there is no container.

    :param ask: what the engine says of a container by its name; empty where there is none
    """
    known: list[Mapping[str, Any]] = []
    missing: list[str] = []
    for given in options:
        if not given.get("deployed") or given["state"] != "present":
            known.append(given)
            continue
        names = given.get("containers") or [given["name"]]
        definition = given.get("definition")
        found = (
            [expected(definition, name) for name in names] if definition else [each for each in map(ask, names) if each]
        )
        if found:
            known.append({**given, "containers": [], "inspect": found})
        else:
            missing.append(f"{given['name']} has no container ({', '.join(names)}); its section stays as it is")
    return known, missing


def expected(definition: Mapping[str, Any], name: str) -> Inspection:
    """What the engine will say of a container that a Compose file describes, there perhaps without a ``name``."""
    check = definition.get("healthcheck") or {}
    test = check.get("test") or []
    # Without a network of its own it is in one that the engine calls by that mode.
    mode = definition.get("network_mode")
    networks = [mode] if mode in ("none", "host", "bridge") else definition.get("networks") or []
    words = ["CMD-SHELL", test] if isinstance(test, str) else list(test)
    return {
        "Name": definition.get("container_name") or name,
        "Config": {
            "Image": definition.get("image"),
            "Healthcheck": {
                "Test": [] if check.get("disable") else [str(word).replace("$$", "$") for word in words],
                "Interval": _nanoseconds(check.get("interval")),
            },
        },
        "HostConfig": {
            "Memory": _bytes(definition.get("mem_limit")),
            "NanoCpus": round(float(definition.get("cpus") or 0) * 1e9),
        },
        "NetworkSettings": {"Networks": dict.fromkeys(networks)},
        "State": {"Status": "running"},
    }


def _bytes(size: Any) -> int:
    found = docker_bytes(size or 0)
    if found is None:
        raise StackError(f"definition.mem_limit is '{size}', which is no size; write one such as 200m")
    return found


def _nanoseconds(duration: Any) -> int:
    return round(sum(float(number) * DURATIONS[unit] for number, unit in DURATION.findall(str(duration or ""))))


def fields_of_containers(containers: Iterable[Inspection], keys: Sequence[str]) -> dict[str, str]:
    """The lines that C(docker inspect) of a service's containers makes; what a container has not, has no line.

    Nothing that changes by itself, such as what a container uses or since when it runs.
    """
    told: dict[str, list[str]] = {key: [] for key in keys}
    for container in containers:
        config = container.get("Config") or {}
        host = container.get("HostConfig") or {}
        labels = config.get("Labels") or {}
        told["Container"].append(str(container.get("Name", "")).lstrip("/"))
        told["Image"].append(config.get("Image") or "")
        told["Networks"] += sorted((container.get("NetworkSettings") or {}).get("Networks") or {})
        told["Limits"].append(limits(_megabytes(host.get("Memory")), _cpus(host.get("NanoCpus"))))
        told["Health"].append(_health(config.get("Healthcheck") or {}))
        told["Status"].append(str((container.get("State") or {}).get("Status") or "").capitalize())
        told["Location"].append(labels.get("com.docker.compose.project.working_dir") or "")
    lines = {key: ", ".join(dict.fromkeys(value for value in values if value)) for key, values in told.items()}
    return {key: value for key, value in lines.items() if value}


def limits(memory: Optional[str], cpus: Optional[str]) -> str:
    return ", ".join([*([f"{memory} memory"] if memory else []), *([f"{cpus} CPUs"] if cpus else [])])


def _megabytes(size: Optional[int]) -> Optional[str]:
    return f"{size / 2**20:g}m" if size else None


def _cpus(nano: Optional[int]) -> Optional[str]:
    return f"{nano / 1e9:g}" if nano else None


def _health(check: Mapping[str, Any]) -> str:
    test = list(check.get("Test") or [])
    if not test or test[0] == "NONE":
        return ""
    words = test[1:] if test[0] in {"CMD", "CMD-SHELL"} else test
    command = " ".join(" ".join(_masked(before, word) for before, word in zip(["", *words], words)).split())
    for secret in SECRETS:
        command = secret.sub(_hidden, command)
    interval = check.get("Interval")
    return f"{command} every {interval / 1e9:g}s" if interval else command


def _masked(before: str, word: str) -> str:
    """A word of a command that is a list, where a secret may have spaces."""
    open_word = word.startswith("$") or (before == "-p" and word.isdigit())
    return "***" if SECRET_OPTION.fullmatch(before) and not open_word else word


def _hidden(match: re.Match[str]) -> str:
    port = match[1].strip() == "-p" and match[2].isdigit()
    return match[0] if port else f"{match[1]}***"

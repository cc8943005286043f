# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task asks of one service: options and container facts become the lines of its section."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._inventory_doc.deployed import (
    fields_of_containers,
    limits,
)

# The order in which lines stand in a section.
KEYS = (
    "Container",
    "Image",
    "Networks",
    "Limits",
    "Health",
    "Status",
    "Reason",
    "Archive",
    "Purpose",
    "Location",
)
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Service:
    name: str
    state: str
    containers: Sequence[str] = ()
    fields: Mapping[str, str] = field(default_factory=dict)


def date_of(option: str, value: str) -> str:
    try:
        if not DATE.fullmatch(value):
            raise ValueError
        datetime.date.fromisoformat(value)
    except ValueError:
        raise StackError(f"{option} is '{value}', which is no date; write one as YYYY-MM-DD") from None
    return value


def services_of(options: Sequence[Mapping[str, Any]]) -> list[Service]:
    """The services of a task.

    :raises StackError: naming the option, the value and the way out
    """
    services = [_service(f"services[{index}]", given) for index, given in enumerate(options)]
    names = [service.name.casefold() for service in services]
    for service in services:
        if names.count(service.name.casefold()) > 1:
            raise StackError(f"services names '{service.name}' twice; give everything about it in one item")
    return services


def _service(where: str, given: Mapping[str, Any]) -> Service:
    name = _one_line(f"{where}.name", given["name"])
    if not name:
        raise StackError(f"{where}.name is empty; give the name that the inventory uses")
    seen = fields_of_containers(given.get("inspect") or [], KEYS)
    containers = [_one_line(f"{where}.containers", value) for value in given.get("containers") or []]
    containers = containers or [part for part in seen.get("Container", "").split(", ") if part]
    if given["state"] == "absent":
        return Service(name, "absent", containers)
    if given["state"] == "deprecated":
        return Service(name, "deprecated", containers, _farewell(where, given))
    most = given.get("limits") or {}
    asked = {
        "Container": ", ".join(containers),
        "Image": given.get("image"),
        "Networks": ", ".join(given.get("networks") or []),
        "Limits": limits(most.get("memory"), most.get("cpus")),
        "Health": given.get("health"),
        "Status": given.get("status"),
        "Purpose": given.get("purpose"),
        "Location": given.get("location"),
    }
    told = {**seen, **{key: value for key, value in asked.items() if value}}
    return Service(name, "present", containers, _lines(where, told))


def _farewell(where: str, given: Mapping[str, Any]) -> dict[str, str]:
    date = date_of(f"{where}.date", given["date"])
    if not given["reason"].strip():
        raise StackError(f"{where}.reason is empty; say why the service is deprecated")
    told = {
        "Status": f"DEPRECATED ({date})",
        "Reason": given["reason"],
        "Archive": given.get("archive"),
    }  # scenario 10.3
    return _lines(where, {key: value for key, value in told.items() if value})


def _lines(where: str, told: Mapping[str, str]) -> dict[str, str]:
    return {key: _one_line(f"{where}.{key.lower()}", told[key]) for key in KEYS if key in told}


def _one_line(option: str, value: str) -> str:
    if re.search(r"[\r\n]", value.strip()):
        raise StackError(f"{option} is {value!r}, which has more than one line; write it in one")
    return value.strip()

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pure decisions: which projects are there, but cannot be asked before the run has changed something."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.engine import Container
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.model import Port
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.project import Project

EVERYWHERE = ("0.0.0.0", "::")
Views = Mapping[str, Mapping[str, Any]]


def resting(
    projects: Mapping[str, Project], now: Views, then: Views, containers: Sequence[Container]
) -> dict[str, bool]:  # fmt: skip
    """Of each project whether containers of it are there that cannot be asked now where they will be asked."""
    idle = _idle(projects, now, then)
    return {
        name: bool(_common(now[name], then[name]))
        and project.state == "present"
        and (name in idle or _out_of_reach(project, now[name], then[name], containers))
        for name, project in projects.items()
    }


def _idle(projects: Mapping[str, Project], now: Views, then: Views) -> set[str]:
    """Projects that do not work: they do not run as they shall, or lack one that they come after."""
    idle = {
        name for name in projects
        if any(now[name]["containers"][key]["status"] != then[name]["containers"][key]["status"]
               for key in _common(now[name], then[name]))
    }  # fmt: skip
    while True:
        more = {
            name for name, project in projects.items()
            for other in project.after if other in projects
            if other in idle or _missing(now[other], then[other])
            or _parted([(now[name], then[name]), (now[other], then[other])])
        } - idle  # fmt: skip
        if not more:
            return idle
        idle |= more


def _common(now: Mapping[str, Any], then: Mapping[str, Any]) -> list[str]:
    return [key for key in now["containers"] if key in then["containers"]]


def _missing(now: Mapping[str, Any], then: Mapping[str, Any]) -> bool:
    return any(key not in now["containers"] for key in then["containers"])


def _networks(view: Mapping[str, Any]) -> set[str]:
    return {name for one in view["containers"].values() for name in one.get("networks", ())}


def _parted(pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> bool:
    """Whether two projects that shall share a network share none now."""
    shared = set.intersection(*(_networks(then) for _now, then in pairs))
    return bool(shared) and not shared & set.intersection(*(_networks(now) for now, _then in pairs))


def _out_of_reach(
    project: Project, now: Mapping[str, Any], then: Mapping[str, Any], containers: Sequence[Container]
) -> bool:  # fmt: skip
    """Whether a published port is not open now, or, where none is published, a network was lost."""
    wanted = {name: service.ports for name, service in project.services.items()}
    if not any(wanted.values()):
        return any(
            not {*then["containers"][key].get("networks", ())} <= {*now["containers"][key].get("networks", ())}
            for key in _common(now, then)
        )
    own = [one for one in containers if one.project == project.name and not one.one_off]
    return not all(_open(port, one.ports) for one in own for port in wanted.get(one.service, ()))


def _open(wanted: Port, ports: Sequence[Port]) -> bool:
    return any(
        one.inside == wanted.inside
        and wanted.number in ("", one.number)
        and one.address in (wanted.address, *EVERYWHERE)
        for one in ports
    )

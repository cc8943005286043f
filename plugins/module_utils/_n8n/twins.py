# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workflows of one name, which two runs at the same moment make: n8n lets any number of them have it."""

from __future__ import annotations

from typing import Any, Callable, Iterable, Mapping

from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.client import born, by_name
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.definition import normal_form
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.relations import made_and_left


def told_apart(
    live: Iterable[Mapping[str, Any]], names: Iterable[str], ours: Callable[[Mapping[str, Any]], bool]
) -> tuple[dict[str, Mapping[str, Any]], dict[str, Mapping[str, Any]]]:
    """The live workflow of each name, and the twins that are one too many.

    Of twins the one that runs stays, else the one that a run went on with, else the one that was made first.

    :param ours: whether a declaration made it
    :returns: by name; by name and id
    :raises StackError: where workflows of one name are not all ours, or not the same
    """
    groups: dict[str, list[Mapping[str, Any]]] = {name: [] for name in names}
    for item in live:
        if item["name"] in groups:
            groups[item["name"]].append(item)
    found: dict[str, Mapping[str, Any]] = {}
    twins: dict[str, Mapping[str, Any]] = {}
    for name, group in groups.items():
        if len(group) > 1:
            group.sort(key=lambda item: (not item.get("active"), made_and_left(item), *born(item)))
            if not all(ours(item) and not item.get("isArchived") and _same(group[0], item) for item in group):
                by_name(group, [name], "workflow")
        for item in group:
            if found.setdefault(name, item) is not item:
                twins[f"{name} ({item['id']})"] = item
    return found, twins


def _same(first: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether nothing is lost with the other one."""
    return made_and_left(other) or normal_form(first) == normal_form(other)

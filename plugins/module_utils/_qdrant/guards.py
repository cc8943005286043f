# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be so at the moment of a deletion: another run, or a writer, may have been at work since the plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Iterable, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import World
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation


def followed(world: World, operations: Iterable[Operation]) -> tuple[World, list[Operation]]:
    """The world after the operations, and they with what each deletion expects then."""
    names, aliases = set(world.names), dict(world.aliases)
    sure = []
    for operation in operations:
        target = operation.target
        if operation.verb == "create":
            names.add(target)
        elif operation.verb == "aliases":
            aliases = moved(aliases, operation.args["actions"])
        elif operation.verb == "delete":
            pointing = sorted(alias for alias, to in aliases.items() if to == target)
            operation = replace(operation, args={**operation.args, "aliases": pointing})
            aliases = {alias: to for alias, to in aliases.items() if to != target}
            names.discard(target)
        sure.append(operation)
    return replace(world, names=frozenset(names), aliases=aliases), sure


def moved(aliases: Mapping[str, str], actions: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    after = dict(aliases)
    for action in actions:
        ((kind, args),) = action.items()
        if kind == "create_alias":
            after[args["alias_name"]] = args["collection_name"]
        elif kind == "delete_alias":
            after.pop(args["alias_name"], None)
        elif args["old_alias_name"] in after:
            after[args["new_alias_name"]] = after.pop(args["old_alias_name"])
    return after


def moved_on(
    collection: str, expected: Iterable[str], planned: int, aliases: Mapping[str, str], points: Optional[int]
) -> str:
    """Why a collection is not to be deleted, in words; nothing where it is as it was when that was decided.

    :param expected: the aliases that point to it then
    :param planned: the points that it held then
    :param points: those that it holds now; None is a collection that is not there
    """
    if collection in aliases:
        return f"{collection} is an alias of {aliases[collection]} now"
    if points is None:
        return f"{collection} is not there any more"
    pointing = {alias for alias, to in aliases.items() if to == collection}
    more, fewer = sorted(pointing - {*expected}), sorted({*expected} - pointing)
    if more:
        return f"alias {', '.join(more)} points to {collection} now"
    if fewer:
        return f"alias {', '.join(fewer)} does not point to {collection} any more"
    if points != planned:
        return f"{collection} holds {points} points now and held {planned} before"
    return ""

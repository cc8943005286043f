# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Schedules and time zones: n8n takes a wrong one without a word and then never starts the workflow."""

from __future__ import annotations

import difflib
import re
import zoneinfo
from typing import Any, Iterable, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError

# The rules of the library "cron" that n8n schedules with, field by field.
FIELDS = (
    ("second", 0, 59),
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 7),
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
NAMES = {**{name: number + 1 for number, name in enumerate(MONTHS)}, **{name: n for n, name in enumerate(DAYS)}}
PRESETS = frozenset(
    f"@{name}"
    for name in ("yearly", "monthly", "weekly", "daily", "hourly", "minutely", "secondly", "weekdays", "weekends")
)
LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
RANGE = re.compile(r"(\d+)(?:-(\d+))?(?:/(\d+))?")
OFFSET = re.compile(r"utc([+-]\d{1,2}(:\d\d)?)?", re.IGNORECASE)
INTERVALS = {
    "seconds": ("secondsInterval", 1, 59),
    "minutes": ("minutesInterval", 1, 59),
    "hours": ("hoursInterval", 1, 23),
    "days": ("daysInterval", 1, 31),
    "months": ("monthsInterval", 1, None),
}
SCHEDULE_TYPE = "n8n-nodes-base.scheduleTrigger"
CRON_TYPE = "n8n-nodes-base.cron"
NO_ZONE = "DEFAULT"


def check_schedule(item: Mapping[str, Any]) -> None:
    """:raises StackError: for a schedule or a time zone that n8n could not follow"""
    zone = (item.get("settings") or {}).get("timezone")
    if zone is not None and zone != NO_ZONE:
        why = zone_problem(zone)
        if why:
            raise StackError(f"workflow '{item['name']}': settings.timezone is {zone!r}, {why}")
    for node in item["nodes"]:
        if node.get("disabled"):
            continue
        for why in _node_problems(node):
            raise StackError(f"workflow '{item['name']}', node '{node['name']}': {why}")


def _node_problems(node: Mapping[str, Any]) -> Iterable[str]:
    for interval in _intervals(node):
        expression = interval.get("expression", interval.get("cronExpression"))
        if interval.get("field") == "cronExpression" or interval.get("mode") == "custom":
            why = cron_problem(expression)
            if why:
                yield f"the schedule {expression!r} {why}"
        elif interval.get("field") in INTERVALS:
            key, least, most = INTERVALS[interval["field"]]
            value = interval.get(key, least)
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if number and (value < least or (most is not None and value > most)):
                yield (
                    f"{key} is {value}; n8n takes {least} to {most}"
                    if most
                    else f"{key} is {value}; n8n takes 1 or more"
                )


def _intervals(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    keys = {SCHEDULE_TYPE: ("rule", "interval"), CRON_TYPE: ("triggerTimes", "item")}.get(node["type"])
    found: Any = node["parameters"] or {}
    for key in keys or ():
        found = found.get(key) if isinstance(found, Mapping) else None
    return [item for item in found if isinstance(item, Mapping)] if keys and isinstance(found, list) else []


def cron_problem(expression: Any) -> Optional[str]:
    """What is wrong with a cron expression, as the end of a sentence; None where n8n can follow it."""
    if not isinstance(expression, str) or not expression.strip():
        return "is empty; write five fields, such as 0 18 * * *"
    text = expression[1:] if expression.startswith("=") else expression
    if expression.startswith("=") and "{{" in text:
        return None  # computed by n8n
    text = text.lower()
    if text in PRESETS:
        return None
    for word in re.findall(r"[a-z]{1,3}", text):
        if word not in NAMES:
            return f"has the unknown word '{word}'; use numbers, or names like mon and jan"
    text = re.sub(r"[a-z]{3}", lambda found: str(NAMES[found.group()]), text)
    values = text.split()
    if not len(FIELDS) - 1 <= len(values) <= len(FIELDS):
        return f"has {len(values)} fields; n8n takes five, or six with seconds in front"
    sets = []
    for value, (unit, low, high) in zip(values, FIELDS[len(FIELDS) - len(values) :]):
        why = _field_problem(value, unit, low, high)
        if why:
            return why
        sets.append(_members(value, low, high))
    days, months, weekdays = sets[-3:]
    if len(weekdays) >= 7 and not any(day <= LONGEST_MONTHS[month - 1] for day in days for month in months):
        return "names a day that never comes"
    return None


def _field_problem(value: str, unit: str, low: int, high: int) -> Optional[str]:
    for part in value.split(","):
        if part.find("*") > 0:
            return f"has '{part}' as {unit}; * stands alone or before a step, as in */5"
        found = RANGE.fullmatch(part.replace("*", f"{low}-{high}"))
        if found is None:
            return f"has '{part}' as {unit}, which is no number, range, list or step"
        first, last, step = (None if group is None else int(group) for group in found.groups())
        if step == 0:
            return f"has a step of zero as {unit}"
        if last is not None and first > last:
            return f"has '{part}' as {unit}, a range that runs backwards"
        if first < low or max(first, last or 0) > high:
            return f"has '{part}' as {unit}; it runs from {low} to {high}"
    return None


def _members(value: str, low: int, high: int) -> set[int]:
    members: set[int] = set()
    for part in value.split(","):
        found = RANGE.fullmatch(part.replace("*", f"{low}-{high}"))
        first, last, step = (None if group is None else int(group) for group in found.groups())
        end = last if last is not None else (high if step else first)
        members.update(range(first, end + 1, step or 1))
    return members


def zone_problem(zone: Any) -> Optional[str]:
    """What is wrong with a time zone, as the end of a sentence; None where it is right, or this host knows no zones."""
    if not isinstance(zone, str):
        return "which is no text; write a name such as Europe/Berlin"
    if OFFSET.fullmatch(zone) or (zone.startswith("=") and "{{" in zone):
        return None
    try:
        zoneinfo.ZoneInfo(zone)
        return None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = {name.casefold(): name for name in zoneinfo.available_timezones()}
    if not known or zone.casefold() in known:
        return None
    near = difflib.get_close_matches(zone.casefold(), known, n=1)
    hint = f"did you mean {known[near[0]]}?" if near else "write a name such as Europe/Berlin"
    return f"which is no time zone; {hint}"

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
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.words import meant

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
RANGE = re.compile(r"([0-9]+)(?:-([0-9]+))?(?:/([0-9]+))?")
OFFSET = re.compile(r"utc(?:([+-])([0-9]{1,2})(?::([0-9]{2}))?)?", re.IGNORECASE)
EARLIEST, LATEST = -12 * 60, 14 * 60  # minutes from UTC of the first and the last zone of the world
# What the tz database holds beside zones.
NO_ZONES = re.compile(r"factory|localtime|posixrules|(posix|right)/.*", re.IGNORECASE)
MINUTE, HOUR = ("minute", 0, 59), ("hour", 0, 23)
AT_MINUTE, AT_HOUR = ("triggerAtMinute", 0, 59), ("triggerAtHour", 0, 23)
# The numbers of a rule by what it repeats, with the least and the most that comes to pass.
RULES: dict[str, tuple[tuple[str, int, Optional[int]], ...]] = {
    "seconds": (("secondsInterval", 1, 59),),
    "minutes": (("minutesInterval", 1, 59),),
    "hours": (("hoursInterval", 1, 23), AT_MINUTE),
    "days": (("daysInterval", 1, 31), AT_HOUR, AT_MINUTE),
    "weeks": (("weeksInterval", 1, 52), ("triggerAtDay", 0, 7), AT_HOUR, AT_MINUTE),
    "months": (("monthsInterval", 1, None), ("triggerAtDayOfMonth", 1, 31), AT_HOUR, AT_MINUTE),
    "cronExpression": (),
}
MODES: dict[str, tuple[tuple[str, int, Optional[int]], ...]] = {
    "everyMinute": (),
    "everyHour": (MINUTE,),
    "everyX": (("value", 1, 59),),
    "everyDay": (HOUR, MINUTE),
    "everyWeek": (("weekday", 0, 7), HOUR, MINUTE),
    "everyMonth": (("dayOfMonth", 1, 31), HOUR, MINUTE),
    "custom": (),
}
WEEKDAY_KEYS = ("triggerAtDay", "weekday")
SCHEDULE_TYPE = "n8n-nodes-base.scheduleTrigger"
CRON_TYPE = "n8n-nodes-base.cron"
# Where a node has its rules, how it says which kind one is, the kinds, and what n8n takes where nothing is said.
NODES: dict[str, tuple[tuple[str, str], str, Mapping[str, Any], str]] = {
    SCHEDULE_TYPE: (("rule", "interval"), "field", RULES, "days"),
    CRON_TYPE: (("triggerTimes", "item"), "mode", MODES, "everyDay"),
}
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
    if node["type"] not in NODES:
        return
    where, key, kinds, unsaid = NODES[node["type"]]
    for rule in _rules(node, where):
        kind = rule.get(key, unsaid)
        if _computed(kind):
            continue
        if not isinstance(kind, str) or kind not in kinds:
            hint = meant(str(kind), kinds, f"n8n takes {', '.join(kinds)}")
            yield f"{key} is {kind!r}, which is no kind of schedule; {hint}"
        elif kind in ("cronExpression", "custom"):
            expression = rule.get("expression", rule.get("cronExpression"))
            why = cron_problem(expression)
            if why:
                yield f"the schedule {expression!r} {why}"
        else:
            for name, least, most in kinds[kind]:
                yield from _number_problems(name, rule.get(name), least, most)


def _number_problems(name: str, value: Any, least: int, most: Optional[int]) -> Iterable[str]:
    for one in value if isinstance(value, list) else [value]:
        named = name in WEEKDAY_KEYS and isinstance(one, str) and one.lower() in DAYS
        if one is None or named or _computed(one):
            continue
        number = int(one) if isinstance(one, str) and re.fullmatch("[0-9]{1,9}", one) else one
        whole = isinstance(number, (int, float)) and not isinstance(number, bool) and number == number // 1
        if not whole or number < least or (most is not None and number > most):
            yield f"{name} is {one!r}; n8n takes {f'{least} to {most}' if most else f'{least} or more'}"


def _computed(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("=") and "{{" in value


def _rules(node: Mapping[str, Any], where: Iterable[str]) -> list[Mapping[str, Any]]:
    found: Any = node["parameters"] or {}
    for key in where:
        found = found.get(key) if isinstance(found, Mapping) else None
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def cron_problem(expression: Any) -> Optional[str]:
    """What is wrong with a cron expression, as the end of a sentence; None where n8n can follow it."""
    if not isinstance(expression, str) or not expression.strip():
        return "is empty; write five fields, such as 0 18 * * *"
    if _computed(expression):
        return None
    text = expression.removeprefix("=")
    strange = next((letter for letter in text if not letter.isascii()), None)
    if strange:
        return f"has '{strange}' in it; write it with the digits 0 to 9 and plain letters"
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
    if _computed(zone):
        return None
    offset = OFFSET.fullmatch(zone)
    if offset:
        sign, hours, minutes = offset.groups(default="0")
        away = (int(hours) * 60 + int(minutes)) * (-1 if sign == "-" else 1)
        there = int(minutes) < 60 and EARLIEST <= away <= LATEST
        return None if there else "which is nowhere; write UTC-12 to UTC+14, or better a name such as Europe/Berlin"
    if NO_ZONES.fullmatch(zone):
        return "which is the name of no place; write a name such as Europe/Berlin"
    try:
        zoneinfo.ZoneInfo(zone)
        return None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = {name.casefold(): name for name in zoneinfo.available_timezones() if not NO_ZONES.fullmatch(name)}
    if not known or zone.casefold() in known:
        return None
    near = difflib.get_close_matches(zone.casefold(), known, n=1)
    hint = f"did you mean {known[near[0]]}?" if near else "write a name such as Europe/Berlin"
    return f"which is no time zone; {hint}"

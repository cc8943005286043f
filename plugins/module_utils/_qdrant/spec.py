# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The types of an argument specification, as Ansible checks them, for who has no Ansible."""

from __future__ import annotations

from datetime import date
from typing import Any, Mapping

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError

SWITCHES = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def normal(where: str, row: Mapping[str, Any], spec: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Every option of the specification with a value of its type; one without a value has its default.

    :raises StackError: one sentence about the first value that is of another type
    """
    return {option: _value(f"{where}: {option}", row.get(option), given) for option, given in spec.items()}


def _value(where: str, value: Any, given: Mapping[str, Any]) -> Any:
    if value is None:
        return given.get("default")
    value = KINDS[given["type"]](where, value)
    choices = given.get("choices")
    if choices and value not in choices:
        raise StackError(f"{where} is {value!r}; it is one of {', '.join(choices)}")
    return value


def text(where: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise StackError(f"{where} is {value!r}; it is a text (in YAML, write it in quotes)")


def _whole(where: str, value: Any) -> int:
    try:
        # Through its text, which 1.5 and true do not survive.
        return int(str(value))
    except ValueError:
        raise StackError(f"{where} is {value!r}; it is a whole number") from None


def _switch(where: str, value: Any) -> bool:
    found = SWITCHES.get(str(value).lower())
    if found is None:
        raise StackError(f"{where} is {value!r}; it is true or false")
    return found


def _dictionary(where: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise StackError(f"{where} is {value!r}; it is a dictionary")
    return {str(key): _within(f"{where}.{key}", inner) for key, inner in value.items()}


def _within(where: str, value: Any) -> Any:
    """What JSON can carry: in YAML a key may be a number, and a value a date."""
    if isinstance(value, Mapping):
        return _dictionary(where, value)
    if isinstance(value, (list, tuple)):
        return [_within(where, inner) for inner in value]
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise StackError(f"{where} is {value!r}, which JSON cannot carry")


def _texts(where: str, value: Any) -> list[str]:
    if isinstance(value, str):
        return [one.strip() for one in value.split(",")]
    if not isinstance(value, (list, tuple)):
        raise StackError(f"{where} is {value!r}; it is a list of texts")
    return [text(where, one) for one in value]


KINDS = {"str": text, "int": _whole, "bool": _switch, "dict": _dictionary, "list": _texts}

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file of secrets that are made once and never changed unasked."""

from __future__ import annotations

import json
import re
import secrets as random_source
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation, Plan

ALPHABET = string.ascii_letters + string.digits
SHORTEST, LONGEST, USUAL = 16, 256, 32
PLACEHOLDER = "made-by-the-next-run"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MODE = "0600"


def random_text(length: int) -> str:
    return "".join(random_source.choice(ALPHABET) for _position in range(length))


def lengths_of(wanted: Any) -> dict[str, int]:
    """Name → length, from a list of names or of ``{name, length}``, or from a mapping of name to length."""
    if not isinstance(wanted, (Mapping, list, tuple, type(None))):
        raise StackError("secrets is neither a list nor a mapping; a single name is written [name]")
    if isinstance(wanted, Mapping):
        items = [
            {"name": name, **({"length": value} if not isinstance(value, Mapping) else value)}
            for name, value in wanted.items()
        ]
    else:
        items = [{"name": item} if isinstance(item, str) else item for item in wanted or []]
    found: dict[str, int] = {}
    for item in items:
        if not isinstance(item, Mapping) or not NAME.fullmatch(str(item.get("name") or "")):
            raise StackError("secrets takes names of letters, digits and underscores, each alone or as {name, length}")
        unknown = sorted(str(key) for key in set(item) - {"name", "length"})
        if unknown:
            raise StackError(f"secrets: {item['name']} has the unknown key {unknown[0]}; it takes name and length")
        name, length = item["name"], item.get("length")
        length = USUAL if length is None else length
        if isinstance(length, bool) or not str(length).isdigit() or not SHORTEST <= int(length) <= LONGEST:
            raise StackError(f"secrets: the length of {name} is not a number from {SHORTEST} to {LONGEST}")
        found[name] = int(length)
    return found


@dataclass(frozen=True)
class Wanted:
    """What the file has to hold: names to make, values that the operator gave, names that may change."""

    lengths: Mapping[str, int]
    values: Mapping[str, str]
    rotate: frozenset[str]


def settle(existing: Mapping[str, str], wanted: Wanted) -> dict[str, Optional[str]]:
    """What the file will hold; None for what has still to be made.

    :raises StackError: when a value would change that nobody allowed to change
    """
    given = {name: value for name, value in wanted.values.items() if value}
    idle = sorted(wanted.rotate - set(given))
    if idle:
        raise StackError(f"rotate names {', '.join(idle)}, but values has nothing new for it; give the new value there")
    changed = sorted(
        name for name, value in given.items() if existing.get(name, value) != value and name not in wanted.rotate
    )
    if changed:
        raise StackError(
            f"the value given for {', '.join(changed)} differs from the one in use, and what was set up with that would"
            " be locked out; drop the given value, or name it in rotate and change it in the service too",
            differs=changed,
        )
    made: dict[str, Optional[str]] = {name: None for name in wanted.lengths}
    return {**made, **existing, **given}


class SecretFile:
    """The file as a resource: what is observed and diffed are names and the mode, never values.

    ``files`` handles whole files: ``look(path)`` gives ``text`` and ``mode`` or None, ``write(path, text, mode)``,
    and with ``new=True`` the latter gives False instead of replacing a file.
    """

    def __init__(self, path: str, wanted: Wanted, files: Any, *, check_mode: bool = False) -> None:
        self.path = Path(path)
        self.wanted = wanted
        self.check_mode = check_mode
        self._files = files
        self._first: Optional[dict[str, str]] = None
        self._values: dict[str, str] = {}
        self._generated: list[str] = []
        self._is_new = False

    def observe(self) -> Any:
        found = self._files.look(self.path)
        values = {} if found is None else self._decode(found.text)
        if self._first is None:
            self._first = values
            self._is_new = found is None
        elif values != self._values:
            raise StackError(f"{self.path} does not hold what was just written to it; is somebody else writing it?")
        return self._state(values, found.mode if found else None)

    def plan(self, current: Any) -> Plan:
        before = self._first or {}
        settled = settle(before, self.wanted)
        self._generated = sorted(name for name, value in settled.items() if value is None)
        self._values = {name: self._value(name) if value is None else value for name, value in settled.items()}
        after = self._state(self._values, MODE)
        if self._values == before and (after == current or not (self._values or current["mode"])):
            return Plan(current, current)  # also where nothing is to be kept and there is no file
        words = actions(before, self._values, self._generated, current["mode"])
        return Plan(current, after, (Operation("write", str(self.path), f"{words} in {self.path}"),))

    def apply(self, operation: Operation) -> None:
        if not self._write(new=self._is_new):
            self._give_way()

    def _write(self, *, new: bool) -> bool:
        return self._files.write(self.path, json.dumps(self._values, indent=2, sort_keys=True) + "\n", MODE, new=new)

    def _give_way(self) -> None:
        """Another run made the file in the meantime, and its secrets may be in use by now: only add to them."""
        found = self._files.look(self.path)
        theirs = {} if found is None else self._decode(found.text)
        settled = settle(theirs, self.wanted)
        self._generated = sorted(name for name, value in settled.items() if value is None)
        self._values = {name: self._values[name] if value is None else value for name, value in settled.items()}
        if self._values != theirs:
            self._write(new=False)

    def result(self, _state: Any) -> dict[str, Any]:
        return {"secrets": dict(self._values), "generated": self._generated}

    def _value(self, name: str) -> str:
        return PLACEHOLDER if self.check_mode else random_text(self.wanted.lengths[name])

    def _state(self, values: Mapping[str, str], mode: Optional[str]) -> Any:
        before = self._first or {}
        marks = {name: "set" if before.get(name, value) == value else "set anew" for name, value in values.items()}
        return {"path": str(self.path), "mode": mode, "secrets": dict(sorted(marks.items()))}

    def _decode(self, text: str) -> dict[str, str]:
        try:
            values = json.loads(text)
        except ValueError:
            values = None
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            raise StackError(
                f"{self.path} is not a JSON mapping of names to strings; mend it, for its secrets may be in use,"
                " or move it away"
            )
        return values


def actions(before: Mapping[str, str], after: Mapping[str, str], generated: list[str], mode: Optional[str]) -> str:
    """What writing the file does, in words and names."""
    given = sorted(set(after) - set(before) - set(generated))
    changed = sorted(name for name in before if after[name] != before[name])
    words = [
        f"{verb} {', '.join(names)}"
        for verb, names in (("generate", generated), ("take over", given), ("change", changed))
        if names
    ]
    if mode not in (MODE, None):
        words.append(f"set mode {MODE}")
    return " and ".join(words) or "write nothing yet"

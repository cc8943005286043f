# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials: n8n never shows what is in one, so a fingerprint on the host remembers what was put there."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections import Counter
from pathlib import Path
from typing import Any, Iterable, Mapping, Optional, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.client import (
    Api,
    TwoOfOneName,
    by_name,
    first_made,
    gave_way,
    write_private,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation, Plan

PUBLIC_KEYS = frozenset({"host", "port", "database", "user", "ssl", "name"})
SHORTEST_MASKED = 4  # what is shorter is in every other word, and a message without it cannot be read
BLANK = "***"
SHORTEST_NAME, LONGEST_NAME = 3, 128
GIVING_WAY_SECONDS = 5.0
POLL_SECONDS = 0.2
FINGERPRINT_ROUNDS = 50_000
AS_DECLARED = "as declared"
TO_BE_WRITTEN = "to be written once more"


def fingerprint(salt: str, kind: str, data: Mapping[str, Any]) -> str:
    """A value that tells whether data changed, and from which data cannot be guessed cheaply."""
    text = json.dumps([kind, data], sort_keys=True, ensure_ascii=False)
    return hashlib.pbkdf2_hmac("sha256", text.encode(), bytes.fromhex(salt), FINGERPRINT_ROUNDS).hex()


def public_values(data: Iterable[Mapping[str, Any]]) -> set[str]:
    """The values that may be shown: those of the public keys that are not also a secret somewhere."""
    shown: set[str] = set()
    hidden: set[str] = set()
    for one in data:
        for key, value in one.items():
            (shown if key in PUBLIC_KEYS else hidden).update(_leaves(value))
    return shown - hidden


def short_values(data: Iterable[Mapping[str, Any]]) -> set[str]:
    """The values that are too short to be masked wherever they occur."""
    return {value for one in data for value in _leaves(one) if len(value) < SHORTEST_MASKED}


def without(value: Any, hidden: set[str]) -> Any:
    """The same value, with each leaf that is hidden left blank."""
    if isinstance(value, Mapping):
        return {key: without(item, hidden) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without(item, hidden) for item in value]
    return BLANK if str(value) in hidden else value


def _leaves(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        return set().union(*(_leaves(item) for item in value.values()))
    if isinstance(value, (list, tuple)):
        return set().union(*(_leaves(item) for item in value))
    return {str(value)}


def check_wanted(wanted: Sequence[Mapping[str, Any]], *, present: bool) -> None:
    """:raises StackError: for what no n8n could make sense of"""
    for name, count in Counter(item["name"] for item in wanted).items():
        if not name:
            raise StackError("credentials: one of them has an empty name; give it one")
        if count > 1:
            raise StackError(f"credentials: '{name}' is declared {count} times; give each a name of its own")
    for item in wanted if present else ():
        if not SHORTEST_NAME <= len(item["name"]) <= LONGEST_NAME:
            raise StackError(
                f"credentials: '{item['name']}' has a name of {len(item['name'])} characters, and n8n takes "
                f"{SHORTEST_NAME} to {LONGEST_NAME}; give it another one"
            )
        for key in ("type", "data"):
            if not item.get(key):
                raise StackError(f"credentials: '{item['name']}' has no {key}; it is needed for state=present")


class Memory:
    """What was put into which credential, kept on the host in a file that only its owner reads."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            self.salt: str = content["salt"]
            self.entries: dict[str, dict[str, str]] = content["credentials"]
        except FileNotFoundError:
            self.salt, self.entries = secrets.token_hex(16), {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StackError(
                f"state_file: {path} cannot be read ({error}); remove it, and every credential is written once more"
            ) from None

    def verdict(self, name: str, live: Mapping[str, Any], kind: str, data: Mapping[str, Any]) -> str:
        """Whether a live credential still holds what is declared, in the words of the diff."""
        entry = self.entries.get(name)
        if entry is None or entry["id"] != live["id"]:
            return "unknown"
        if entry["fingerprint"] != fingerprint(self.salt, kind, data):
            return "not what is declared now"
        return AS_DECLARED if entry["updatedAt"] == live["updatedAt"] else "edited in n8n"

    def id_of(self, name: str) -> Optional[str]:
        entry = self.entries.get(name)
        return None if entry is None else entry["id"]

    def remember(self, live: Mapping[str, Any], kind: str, data: Mapping[str, Any]) -> None:
        self.entries[live["name"]] = {
            "id": live["id"],
            "updatedAt": live["updatedAt"],
            "fingerprint": fingerprint(self.salt, kind, data),
        }
        self._save()

    def forget(self, name: str) -> None:
        if self.entries.pop(name, None) is not None:
            self._save()

    def _save(self) -> None:
        content = {"salt": self.salt, "credentials": self.entries}
        write_private(self.path, json.dumps(content, indent=2, sort_keys=True) + "\n")


class Credentials:
    """Brings the declared credentials, and no others, to ``present`` or ``absent``."""

    def __init__(
        self, api: Api, wanted: Sequence[Mapping[str, Any]], *, state: str, state_file: str, rotate: bool = False
    ) -> None:
        check_wanted(wanted, present=state == "present")
        if rotate and state == "absent":
            raise StackError("rotate goes with state=present; what is absent holds nothing to write once more")
        self._rotate = {item["name"] for item in wanted} if rotate else set()
        self.api = api
        self.wanted = {item["name"]: item for item in wanted}
        self.state = state
        self.memory = Memory(state_file)
        self._live: dict[str, Mapping[str, Any]] = {}

    def observe(self) -> dict[str, Any]:
        listing = self.api.list("/credentials")
        self._live = by_name(listing, self.wanted, "credential")
        by_id = {item["id"]: item for item in listing if item["name"] not in self.wanted}
        for name in set(self.wanted) - set(self._live) if self.state == "present" else ():
            renamed = by_id.get(self.memory.id_of(name))
            if renamed is not None:
                self._live[name] = renamed
        return {name: self._shown(name) for name in sorted(self._live)}

    def _shown(self, name: str) -> dict[str, str]:
        live, item = self._live[name], self.wanted[name]
        if self.state == "absent":
            return {"type": live["type"]}
        data = TO_BE_WRITTEN if name in self._rotate else self.memory.verdict(name, live, item["type"], item["data"])
        renamed = {} if live["name"] == name else {"name": live["name"]}
        return {"type": live["type"], "data": data, **renamed}

    def plan(self, current: Mapping[str, Any]) -> Plan:
        warnings = tuple(self.api.warnings)
        if self.state == "absent":
            gone = tuple(Operation("delete", name, f"delete credential '{name}'") for name in current)
            return Plan(current, {}, gone, warnings)
        after = {
            name: {
                "type": self.wanted[name]["type"],
                "data": AS_DECLARED,
                **({"name": name} if "name" in current.get(name, {}) else {}),
            }
            for name in sorted(self.wanted)
        }
        steps = (self._step(name, current.get(name), after[name]) for name in after)
        return Plan(current, after, tuple(step for step in steps if step), warnings)

    @staticmethod
    def _step(name: str, seen: Optional[Mapping[str, str]], wanted: Mapping[str, str]) -> Optional[Operation]:
        if seen is None:
            return Operation("create", name, f"create credential '{name}' of type {wanted['type']}")
        if seen == wanted:
            return None
        reasons = []
        if seen["type"] != wanted["type"]:
            reasons.append(f"type {seen['type']} becomes {wanted['type']}")
        if seen["data"] != AS_DECLARED:
            reasons.append(f"its data are {seen['data']}")
        if "name" in seen:
            reasons.append(f"it was renamed to '{seen['name']}'")
        return Operation("update", name, f"update credential '{name}': {', '.join(reasons)}")

    def settle(self, plan: Plan) -> Any:
        """A credential that has its name back shows it where the plan does."""
        seen = self._observe_one_each()
        for name, state in plan.after.items():
            if "name" in state and name in seen:
                seen[name].setdefault("name", self._live[name]["name"])
        return seen

    def _observe_one_each(self) -> dict[str, Any]:
        """Another run that made the same gives way within a moment."""
        deadline = time.monotonic() + GIVING_WAY_SECONDS
        while True:
            try:
                return self.observe()
            except TwoOfOneName:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(POLL_SECONDS)

    def apply(self, operation: Operation) -> None:
        name = operation.target
        if operation.verb == "delete":
            self.api.call("DELETE", f"/credentials/{self._live[name]['id']}", expect=(200, 404))
            self.memory.forget(name)
            return
        item = self.wanted[name]
        body = {"name": name, "type": item["type"], "data": item["data"]}
        if operation.verb == "create":
            written = self._give_way(self.api.call("POST", "/credentials", json=body, expect=(200, 201)))
        else:
            written = self.api.call("PATCH", f"/credentials/{self._live[name]['id']}", json=body)
        self.memory.remember(written, item["type"], item["data"])
        self._rotate.discard(name)

    def _give_way(self, made: Mapping[str, Any]) -> Mapping[str, Any]:
        """:raises Moved: where another run made a credential of this name first; the one that was made now is gone"""
        first = first_made(self.api.list("/credentials"), made["name"], made)
        if first["id"] == made["id"]:
            return made
        self.api.call("DELETE", f"/credentials/{made['id']}", expect=(200, 404))
        raise gave_way("credential", first["id"], made["name"])

    def result(self, _state: Any) -> dict[str, Any]:
        return {"credentials": {name: live["id"] for name, live in sorted(self._live.items())}}

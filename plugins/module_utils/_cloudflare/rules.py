# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules of a tunnel: what they are, and where they go between other people's. No I/O."""

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping, Optional, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError

Rule = dict[str, Any]

HOST = re.compile(r"(?=.{1,253}$)(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
SERVICE = re.compile(
    r"(https?|tcp|ssh|rdp|smb|unix|unix\+tls)://?\S+|unix:\S+|http_status:[1-5]\d\d|hello_world|bastion"
)
NOTHING_THERE = "http_status:404"


def declared(rules: Iterable[Mapping[str, Any]]) -> dict[str, list[Rule]]:
    """Host → its rules in Cloudflare's form; a host without rules is to go.

    :raises StackError: what is declared cannot be meant
    """
    found: dict[str, list[Rule]] = {}
    states: dict[str, str] = {}
    for one in rules:
        host, path, state = one["hostname"], one.get("path") or "", one.get("state") or "present"
        if not HOST.fullmatch(host):
            raise StackError(f"rules: {host!r} is not a host name; write it like a.example.org, in small letters")
        if states.setdefault(host, state) != state:
            raise StackError(f"rules: {host} is both present and absent; keep one of both")
        if any(rule.get("path", "") == path for rule in found.get(host, [])):
            where = f"{host} with path {path}" if path else host
            raise StackError(f"rules: {where} is declared twice; a public host has exactly one rule")
        found.setdefault(host, [])
        if state == "present":
            found[host].append(_rule(host, path, one))
    return found


def _rule(host: str, path: str, one: Mapping[str, Any]) -> Rule:
    service = one.get("service") or ""
    if not SERVICE.fullmatch(service):
        raise StackError(
            f"rules: the service of {host} is {service!r}, which leads nowhere; write it like http://traefik:80"
        )
    rule: Rule = {"hostname": host, "service": service}
    if path:
        rule["path"] = path
    if one.get("origin_request"):
        rule["originRequest"] = dict(one["origin_request"])
    return rule


def normal(rule: Mapping[str, Any]) -> Rule:
    """A rule without what the server adds or leaves out as it likes."""
    return {key: value for key, value in sorted(rule.items()) if key != "id" and value not in (None, "", {})}


def is_catch_all(rule: Mapping[str, Any]) -> bool:
    return rule.get("hostname") in (None, "", "*") and not rule.get("path")


def shadows(foreign: Mapping[str, Any], host: str) -> bool:
    """Whether nothing for ``host`` gets past this rule."""
    pattern = foreign.get("hostname") or "*"
    if foreign.get("path"):
        return False
    return pattern == "*" or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def arrange(live: Sequence[Rule], wanted: Mapping[str, list[Rule]], catch_all: Optional[str]) -> list[Rule]:
    """The whole list: our rules where they are, or before what would hide them; other people's in their order."""
    last = live[-1] if live and is_catch_all(live[-1]) else None
    rest = list(live[:-1]) if last is not None else list(live)
    placed: set[str] = set()
    found: list[Rule] = []
    for rule in rest:
        host = rule.get("hostname") or ""
        if host not in wanted:
            found.append(rule)
        elif host not in placed:
            placed.add(host)
            found += wanted[host]
    for host, rules in wanted.items():
        if host not in placed:
            found += rules
    for host, rules in wanted.items():
        found = _before_the_shadow(found, host, rules, wanted)
    if catch_all is not None and (last is None or normal(last) != {"service": catch_all}):
        last = {"service": catch_all}
    return [*found, last if last is not None else {"service": NOTHING_THERE}]


def _before_the_shadow(found: list[Rule], host: str, rules: list[Rule], wanted: Mapping[str, Any]) -> list[Rule]:
    mine = next((index for index, rule in enumerate(found) if rule.get("hostname") == host), None)
    over = next(
        (
            index
            for index, rule in enumerate(found)
            if rule.get("hostname") != host and shadows(rule, host) and not host.startswith("*.")
        ),
        None,
    )
    if mine is None or over is None or over > mine:
        return found
    others = [rule for rule in found if rule.get("hostname") != host]
    return [*others[:over], *rules, *others[over:]]


def words(before: Sequence[Rule], after: Sequence[Rule], hosts: Iterable[str]) -> str:
    """What differs, a host at a time."""
    told = []
    for host in hosts:
        old, new = _of(before, host), _of(after, host)
        if old == new:
            continue
        if not old:
            told.append(f"add {host} -> {', '.join(rule['service'] for rule in new)}")
        elif not new:
            told.append(f"remove {host}")
        else:
            told.append(f"change {host}{_fields(old, new)}")
    if before and after and before[-1] != after[-1] and is_catch_all(before[-1]):
        told.append(f"change the catch-all {before[-1].get('service')} -> {after[-1]['service']}")
    elif not before or not is_catch_all(before[-1]):
        told.append(f"end with the catch-all {after[-1]['service']}")
    return ", ".join(told) or "put rules before those that hide them"


def _of(rules: Sequence[Rule], host: str) -> list[Rule]:
    return [normal(rule) for rule in rules if rule.get("hostname") == host]


def _fields(old: list[Rule], new: list[Rule]) -> str:
    if len(old) != 1 or len(new) != 1:
        return f" ({len(old)} rules -> {len(new)})"
    changed = [key for key in sorted({*old[0], *new[0]}) if old[0].get(key) != new[0].get(key)]
    parts = []
    for key in changed:
        left, right = old[0].get(key), new[0].get(key)
        if isinstance(left, dict) or isinstance(right, dict):
            left, right = left or {}, right or {}
            parts += [
                f"{key}.{name} {left.get(name)} -> {right.get(name)}"
                for name in sorted({*left, *right})
                if left.get(name) != right.get(name)
            ]
        else:
            parts.append(f"{key} {left} -> {right}")
    return f": {', '.join(parts)}"

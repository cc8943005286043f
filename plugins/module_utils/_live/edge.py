# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is reachable from outside, and by which way: Traefik's labels against a tunnel's rules and DNS. No I/O."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Optional
from urllib.parse import urlsplit

RULE_LABEL = re.compile(r"traefik\.http\.routers\.([^.]+)\.rule", re.IGNORECASE)
HOSTS = re.compile(r"Host\(([^)]*)\)", re.IGNORECASE)
PATTERNS = re.compile(r"HostRegexp\(\s*[`\"']([^`\"']+)[`\"']", re.IGNORECASE)
QUOTED = re.compile(r"[`\"']([^`\"']+)[`\"']")
LOOPBACK = re.compile(r"127\.|::1$|\[::1\]$|localhost$", re.IGNORECASE)
ENTRY = "web"
NOT_YET = {"(unhealthy)": "is unhealthy", "(health: starting)": "is not healthy yet"}


def hosts_of(rule: str) -> list[str]:
    """The host names that a rule of Traefik asks for, in small letters."""
    return sorted({name.lower() for inside in HOSTS.findall(rule) for name in QUOTED.findall(inside)})


def routes_of(containers: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every router that the labels of running containers make, as the engine lists containers."""
    found = []
    for one in containers:
        labels = one.get("Labels") or {}
        if one.get("State") != "running" or str(labels.get("traefik.enable", "")).lower() == "false":
            continue
        for label, rule in labels.items():
            named = RULE_LABEL.fullmatch(label)
            if named:
                router, container = named.group(1), one["Names"][0].lstrip("/")
                found.append({"container": container, "router": router, "hosts": hosts_of(str(rule))})
    return sorted(found, key=lambda route: (route["container"], route["router"]))


def captures_of(containers: Iterable[Mapping[str, Any]], public: Sequence[Mapping[str, Any]]) -> list[str]:
    """Routers of others that name no host, and get requests of a public one because they rank above its own."""
    rules = list(_rules(containers))
    found = []
    for one in public:
        host = str(one["host"])
        own = max(
            (rank for name, _router, rule, rank in rules if name == one["name"] and host in hosts_of(rule)),
            default=None,
        )
        found += [
            f"requests of {host} go to {name} (router {router}), whose rule {rule} ranks above that of {one['name']}"
            for name, router, rule, rank in rules
            if own is not None and name != one["name"] and rank >= own and _takes(rule, host)
        ]
    return found


def _rules(containers: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str, str, int]]:
    """Container, router, rule and rank of every router on the entry point of public hosts; longer rules rank higher."""
    for one in containers:
        labels = {str(label).lower(): str(value) for label, value in (one.get("Labels") or {}).items()}
        for route in routes_of([one]):
            prefix = f"traefik.http.routers.{route['router']}.".lower()
            rule, rank = labels[f"{prefix}rule"], labels.get(f"{prefix}priority", "")
            entries = labels.get(f"{prefix}entrypoints", ENTRY)
            if ENTRY in [entry.strip() for entry in entries.split(",")]:
                yield (
                    route["container"],
                    route["router"],
                    rule,
                    int(rank) if rank.isdigit() and int(rank) else len(rule),
                )


def _takes(rule: str, host: str) -> bool:
    if hosts_of(rule):
        return False
    patterns = PATTERNS.findall(rule)
    try:
        return not patterns or any(re.search(pattern, host) for pattern in patterns)
    except re.error:  # Go's expressions know what Python's do not
        return True


def problems_of(
    containers: Sequence[Mapping[str, Any]],
    public: Sequence[Mapping[str, Any]],
    *,
    internal: Collection[str] = (),
    proxy: str = "http://traefik:80",
    rules: Optional[Sequence[Mapping[str, Any]]] = None,
    cnames: Optional[Collection[str]] = None,
) -> list[str]:
    """What keeps a public service from being reached by exactly one way, or lets anything be reached by another.

    :param containers: as the engine lists them
    :param public: name, host and port of each public service
    :param internal: containers that nothing from outside may reach
    :param proxy: where every rule of a public host has to lead
    :param rules: the tunnel's rules in their order, or None where they are not known
    :param cnames: hosts whose CNAME leads to the tunnel, or None where that is not known
    """
    routes, known = routes_of(containers), {one["Names"][0].lstrip("/"): one for one in containers}
    inside = {str(one["name"]) for one in public} | set(internal)
    found = []
    for one in public:
        found += _routing(str(one["name"]), str(one["host"]), routes, known)
        if rules is not None:
            found += _ruling(str(one["host"]), rules, proxy)
        if cnames is not None and one["host"] not in cnames:
            found.append(f"no proxied CNAME leads {one['host']} to the tunnel")
    found += captures_of(containers, public)
    for route in routes:
        if route["container"] in internal:
            found.append(f"{route['container']} is internal, but Traefik routes {', '.join(route['hosts'])} to it")
    found += [line for name in sorted(inside & set(known)) for line in _published(name, known[name])]
    found += _past_the_proxy(rules or (), {str(one["host"]) for one in public}, inside)
    return list(dict.fromkeys(found))


def _routing(
    name: str, host: str, routes: Sequence[Mapping[str, Any]], known: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    ways = [route for route in routes if host in route["hosts"]]
    one = known.get(name)
    if one is None or one.get("State") != "running":
        state = "is not there" if one is None else f"is {one.get('State')}"
        return [f"{host} has no backend: container {name} {state}"]
    if len(ways) > 1:
        words = " and ".join(f"{way['container']} (router {way['router']})" for way in ways)
        return [f"{host} is routed {len(ways)} times, to {words}"]
    if not ways:
        return [f"{host} has no router: container {name} lacks the labels"]
    if ways[0]["container"] != name:
        return [f"{host} is routed to {ways[0]['container']} instead of {name}"]
    status = str(one.get("Status") or "")
    return [f"the backend of {host}, {name}, {words}" for sign, words in NOT_YET.items() if sign in status]


def _ruling(host: str, rules: Sequence[Mapping[str, Any]], proxy: str) -> list[str]:
    mine = [(index, rule) for index, rule in enumerate(rules) if rule.get("hostname") == host]
    if len(mine) != 1:
        return [f"the tunnel has {len(mine) or 'no'} rule{'s' if len(mine) > 1 else ''} for {host} instead of one"]
    index, rule = mine[0]
    if rule.get("service") != proxy:
        return [f"the tunnel leads {host} to {rule.get('service')}, past Traefik at {proxy}"]
    if rule.get("path"):
        return [f"the tunnel leads only the path {rule['path']} of {host} to Traefik"]
    for before in rules[:index]:
        pattern = before.get("hostname") or "*"
        if not before.get("path") and (pattern == "*" or (pattern[:2] == "*." and host.endswith(pattern[1:]))):
            return [f"the tunnel's rule for {pattern} comes before that for {host} and hides it"]
    return []


def _past_the_proxy(rules: Sequence[Mapping[str, Any]], public: Collection[str], inside: Collection[str]) -> list[str]:
    """Rules of any host that lead straight into one of our containers."""
    found = []
    for rule in rules:
        service = str(rule.get("service") or "")
        target = urlsplit(service).hostname if "://" in service else None
        if target in inside and rule.get("hostname") not in public:
            found.append(f"the tunnel leads {rule.get('hostname') or 'everything else'} to {service}, past Traefik")
    return found


def _published(name: str, one: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} is published on {port['IP'] or '0.0.0.0'}:{port['PublicPort']}, past Traefik"
        for port in one.get("Ports") or []
        if port.get("PublicPort") and "IP" in port and not LOOPBACK.match(port["IP"] or "")
    ]

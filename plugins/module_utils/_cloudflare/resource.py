# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of a remotely managed tunnel as one resource, beside those of other people."""

from __future__ import annotations

import time
from typing import Any, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._cloudflare import rules as ruling
from ansible_collections.bestviable.planner_memory.plugins.module_utils._cloudflare.client import Client
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import ApiError, StackError, Unreachable
from ansible_collections.bestviable.planner_memory.plugins.module_utils._http import REPEATABLE_STATUS, TURNED_AWAY
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation, Plan

# Seconds until a write that got no answer is tried again; after the last there is no more.
PAUSES = (1.0, 2.0, 4.0, 0.0)


def read_tunnel(client: Client) -> dict[str, Any]:
    """What Cloudflare knows of the tunnel.

    :raises StackError: it is deleted
    """
    about = client.about() or {}
    if about.get("deleted_at"):
        raise StackError(f"tunnel {client.tunnel} was deleted at {about['deleted_at']}; name another in tunnel_id")
    return about


class TunnelRules:
    """
    :param wanted: host → its rules; every live rule of these hosts is ours, all others stay as they are
    :param catch_all: the service of the last rule, or None to keep the one that is there
    """

    def __init__(self, client: Client, wanted: Mapping[str, list[dict[str, Any]]], catch_all: Optional[str]) -> None:
        self.client = client
        self.wanted = wanted
        self.catch_all = catch_all
        self.config: dict[str, Any] = {}
        self.version = 0
        self._written: Optional[int] = None
        self._known = False
        self._leading: Mapping[str, str] = {}
        self._blocked: Mapping[str, str] = {}
        self._status: Optional[str] = None

    def observe(self) -> dict[str, Any]:
        if not self._known:
            about = read_tunnel(self.client)
            if about.get("config_src") == "local":
                raise StackError(
                    f"tunnel {self.client.tunnel} takes its rules from a file beside cloudflared, and rules written"
                    " here would replace that for good; migrate it in Cloudflare's dashboard first, or manage the file"
                )
            self._status = about.get("status")
            # Asked ahead of any write, so that a token without the permission leaves nothing half done.
            self._leading = self.client.cnames() if self.client.zone else {}
            missing = self._missing() if self.client.zone else []
            self._blocked = {host: seen for host in missing if (seen := self.client.in_the_way(host))}
            self._known = True
        self._read()
        if self._written is not None and self.version != self._written:
            raise StackError(
                f"the rules of tunnel {self.client.tunnel} were written as version {self._written}, but are now version"
                f" {self.version}: somebody else edits them at the same time; look at them, and run again"
            )
        return {"ingress": [ruling.normal(rule) for rule in self._live()]}

    def plan(self, current: Any) -> Plan:
        arranged = ruling.arrange(self._live(), self.wanted, self.catch_all)
        before, after = current["ingress"], [ruling.normal(rule) for rule in arranged]
        nothing_kept = not before and not any(self.wanted.values())
        if before == after or nothing_kept:
            return Plan(current, current)
        words = f"tunnel {self.client.tunnel}: {ruling.words(before, after, self.wanted)}"
        return Plan(
            current, {"ingress": after}, (Operation("configure", self.client.tunnel, words, {"ingress": arranged}),)
        )

    def apply(self, operation: Operation) -> None:
        seen, ingress = self.version, operation.args["ingress"]
        answer = self._write(seen, ingress)
        self._written = seen + 1 if answer is None else int(answer.get("version") or 0)
        if self._written != seen + 1:
            raise StackError(
                f"writing version {seen + 1} of the rules of tunnel {self.client.tunnel} made version {self._written}:"
                " somebody else's edit in between was replaced; compare with the tunnel's audit log, and run again"
            )

    def _write(self, seen: int, ingress: list[dict[str, Any]]) -> Optional[dict[str, Any]]:
        """Cloudflare's answer, or None where it was lost and what is there is what was sent."""
        sent = False
        for pause in PAUSES:
            self._read()
            if (
                sent
                and self.version == seen + 1
                and [*map(ruling.normal, self._live())] == [*map(ruling.normal, ingress)]
            ):
                return None
            if self.version != seen:
                raise StackError(
                    f"the rules of tunnel {self.client.tunnel} went from version {seen} to {self.version} while this"
                    f" ran: somebody else edits them; {'look at them' if sent else 'nothing was written'}, run again"
                )
            try:
                return self.client.configure({**self.config, "ingress": ingress})
            except (ApiError, Unreachable) as error:
                if not pause or (isinstance(error, ApiError) and error.status not in REPEATABLE_STATUS):
                    raise
                sent = sent or not isinstance(error, ApiError) or error.status != TURNED_AWAY
                time.sleep(pause)
        raise AssertionError("the last attempt answers or raises")

    def result(self, state: Any) -> dict[str, Any]:
        found: dict[str, Any] = {
            "ingress": state["ingress"],
            "version": self.version,
            "status": self._status,
            "cname_target": self.client.target,
        }
        if self.client.zone:
            found["cnames"] = sorted(self._leading)
            found["cnames_missing"] = self._missing()
            found["cnames_blocked"] = dict(self._blocked)
            found["cnames_left"] = sorted(
                host for host, rules in self.wanted.items() if not rules and host in self._leading
            )
        return found

    def _missing(self) -> list[str]:
        return sorted(host for host, rules in self.wanted.items() if rules and host not in self._leading)

    def _read(self) -> None:
        answer = self.client.configuration()
        self.config = answer.get("config") or {}
        self.version = int(answer.get("version") or 0)

    def _live(self) -> list[dict[str, Any]]:
        return list(self.config.get("ingress") or [])

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host's own network is: interfaces, routes, and who manages its firewall. Reads only."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import struct
import subprocess
import sys
from typing import Any

PROGRAMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What the table of role networking needs from the kernel; --check asks the kernel and loads nothing.
TRIAL = """table inet planner_memory_trial {
    chain prerouting {
        type filter hook prerouting priority raw; policy accept;
        meta iifkind "bridge" fib daddr oifname "br-*" counter drop
        fib daddr type unicast counter drop
    }
}
"""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def routes_of(table: str) -> list[dict[str, str]]:
    """Interface and address range of every route of ``/proc/net/route`` that is up."""
    found = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and int(fields[3], 16) & 1:
            network, mask = (_address(fields[index]) for index in (1, 7))
            found.append({"interface": fields[0], "subnet": str(ipaddress.ip_network(f"{network}/{mask}"))})
    return found


def _address(hexed: str) -> str:
    order = "<" if sys.byteorder == "little" else ">"
    return socket.inet_ntoa(struct.pack(f"{order}I", int(hexed, 16)) if order == ">" else bytes.fromhex(hexed)[::-1])


def interfaces() -> list[str]:
    try:
        return sorted(os.listdir("/sys/class/net"))
    except OSError:
        return []


def managers_of(ufw: str, nftables: str, active: dict[str, bool]) -> list[str]:
    """Who else writes firewall rules on this host, each as a sentence."""
    found = []
    if re.search(r"^\s*ENABLED\s*=\s*yes", ufw, re.MULTILINE | re.IGNORECASE):
        found.append("ufw is enabled; its rules and ours hold side by side")
    if active.get("firewalld"):
        found.append(
            "firewalld runs; its rules and ours hold side by side (where Docker was started before firewalld was there,"
            " it lets nothing through to containers until Docker is restarted)"
        )
    if active.get("nftables"):
        flushes = re.search(r"^\s*flush\s+ruleset", nftables, re.MULTILINE)
        found.append(
            "nftables.service is enabled, and /etc/nftables.conf has 'flush ruleset': loading it removes Docker's"
            " own rules until the engine is restarted (our table comes back by itself where there is systemd)"
            if flushes
            else "nftables.service is enabled; its rules and ours hold side by side"
        )
    return found


def _active(unit: str) -> bool:
    """Enabled or running, as far as files tell it: asking systemd costs more than the answer is worth."""
    wants = ("multi-user.target.wants", "sysinit.target.wants")
    return any(os.path.lexists(f"/etc/systemd/system/{one}/{unit}.service") for one in wants)


def usable() -> bool:
    """Whether nft is there and the kernel would take a table like ours; only root can know."""
    try:
        done = subprocess.run(
            ["nft", "--check", "--file", "-"],
            input=TRIAL,
            text=True,
            capture_output=True,
            timeout=5,
            check=False,
            env={**os.environ, "PATH": PROGRAMS},
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def describe() -> dict[str, Any]:
    active = {unit: _active(unit) for unit in ("nftables", "firewalld")}
    return {
        "usable": usable(),
        "others": managers_of(_read("/etc/ufw/ufw.conf"), _read("/etc/nftables.conf"), active),
    }

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's own table in a host that is network namespaces of this test: who gets through, and what brings it back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.playbook import ROOT, run_playbook

ROLE = ROOT / "roles/networking"
TOOLS = ("ip", "nft", "unshare", "curl")
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, TOOLS)), reason=f"wants root and {', '.join(TOOLS)}"
)
HOST = {
    "root": True,
    "routes": [{"interface": "eth0", "subnet": "0.0.0.0/0"}],
    "firewall": {"usable": True, "others": []},
    "services": {},
    "engine": {"installed": True, "running": True, "bridges": {}, "networks": [], "subnets": {}},
}
# A neighbour behind eth0, a container in ours, and one in a network of its own bridge that somebody made after the run.
WORLD = r"""
set -eu
mount -t tmpfs none /run
mkdir -p /run/netns
ip link set lo up
sysctl -qw net.ipv4.ip_forward=1
bridge() { ip link add "$1" type bridge; ip addr add "$2" dev "$1"; ip link set "$1" up; }
# place NAME ADDRESS GATEWAY [BRIDGE]
place() {
    ip netns add "$1"
    ip link add "v-$1" type veth peer name eth0 netns "$1"
    ip netns exec "$1" sysctl -qw net.ipv4.conf.all.route_localnet=1
    ip netns exec "$1" ip link set eth0 up
    ip netns exec "$1" ip addr add "$2" dev eth0
    ip netns exec "$1" ip route add default via "$3"
    ip netns exec "$1" ip route add 127.0.0.1/32 via "$3" dev eth0
    [ $# -lt 4 ] || ip link set "v-$1" master "$4"
    ip link set "v-$1" up
    (cd "$EMPTY" && exec ip netns exec "$1" python3 -m http.server 8000 >/dev/null 2>&1) &
}
bridge br-sync 10.203.20.1/24
bridge theirs0 10.99.0.1/24
place ours 10.203.20.2/24 10.203.20.1 br-sync
place theirs 10.99.0.2/24 10.99.0.1 theirs0
place outside 192.0.2.9/24 192.0.2.1
ip addr add 192.0.2.1/24 dev v-outside
sysctl -qw net.ipv4.conf.br-sync.route_localnet=1
# As Docker does it, which therefore needs no way back of its own.
nft 'add table ip nat; add chain ip nat post { type nat hook postrouting priority srcnat; }'
nft 'add rule ip nat post oifname "v-outside" masquerade'
(cd "$EMPTY" && exec python3 -m http.server 8000 >/dev/null 2>&1) &
within_a_minute() {
    for _ in $(seq 300); do "$@" && return; sleep 0.2; done
    echo "not within a minute: $*" >&2
    exit 1
}
answers() { curl -sf -m 10 -o /dev/null "http://$1:8000/"; }
for server in 10.203.20.2 10.99.0.2 192.0.2.9 127.0.0.1; do within_a_minute answers "$server"; done
goes() { ip netns exec "$1" curl -sf -m 10 -o /dev/null "http://$2:8000/" && echo "$1 $2"; }
# At once, for whoever is dropped waits for all of his time; and in a shell of its own, which has no other children.
all() (
    for from in outside ours theirs; do
        for to in 192.0.2.9 192.0.2.1 10.203.20.2 10.99.0.2 127.0.0.1; do
            goes "$from" "$to" &
        done
    done
    wait
)
loaded() { "$CONTROL" status >/dev/null; }
# The line of a socket that is subscribed to NFNLGRP_NFTABLES of NETLINK_NETFILTER.
subscribed() { grep -q '^[^ ]* *12 .* 00000040 ' /proc/net/netlink; }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the role puts on the host."""
    folder = tmp_path_factory.mktemp("firewall")
    tasks = [
        {"ansible.builtin.import_role": {"name": "bestviable.planner_memory.networking", "tasks_from": "verify"}},
        {
            "ansible.builtin.template": {
                "src": f"{ROLE}/templates/rules.nft.j2",
                "dest": f"{folder}/rules.nft",
                "mode": "0644",
            }
        },
        {"ansible.builtin.copy": {"src": f"{ROLE}/files/firewall.sh", "dest": f"{folder}/control", "mode": "0755"}},
    ]
    values: dict[str, Any] = {
        "stack_host": HOST, "stack_network_proxy": "docker_proxy", "stack_network_internal": "docker_syncbricks",
        "networking_firewall": "present",
    }  # fmt: skip
    run = run_playbook(folder, [{"hosts": "all", "gather_facts": False, "vars": values, "tasks": tasks}])
    assert run.rc == 0, run.output
    return folder


def told(folder: Path, script: str) -> list[str]:
    empty = folder / "empty"
    empty.mkdir(exist_ok=True)
    done = subprocess.run(
        ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", WORLD + script],
        env={**os.environ, "CONTROL": f"{folder}/control", "EMPTY": str(empty)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_nobody_reaches_our_containers_and_everybody_else_goes_his_way(folder: Path) -> None:
    said = told(folder, 'all; echo loaded; "$CONTROL" start; all')
    before, after = set(said[: said.index("loaded")]), set(said[said.index("loaded") + 1 :])
    reaches_ours = {"outside 10.203.20.2", "theirs 10.203.20.2", "ours 127.0.0.1", "outside 10.99.0.2"}
    assert reaches_ours <= before, "without the table this test sees it"
    assert not reaches_ours & after
    of_the_host = {"outside 192.0.2.1", "theirs 192.0.2.1", "ours 192.0.2.1"}
    out = {"ours 192.0.2.9", "theirs 192.0.2.9"}
    assert of_the_host | out <= after


@pytest.mark.parametrize("what", ["flush ruleset", "delete table inet planner_memory"])
def test_a_table_that_somebody_removes_comes_back_at_once_and_one_that_is_stopped_does_not(
    folder: Path, what: str
) -> None:
    script = f"""
"$CONTROL" start
setsid "$CONTROL" guard >/dev/null 2>&1 &
within_a_minute subscribed
nft add table inet theirs
nft {what}
within_a_minute loaded
"$CONTROL" status
kill -- -$!  # as systemd ends all of its processes
"$CONTROL" stop
sleep 0.5
"$CONTROL" status || true
nft list tables
"""
    back, gone, *others = told(folder, script)
    assert json.loads(back) == {"table": "loaded"} and json.loads(gone) == {"table": "absent"}
    assert others == ([] if what == "flush ruleset" else ["table ip nat", "table inet theirs"])


def test_a_table_that_somebody_removes_before_the_monitor_listens_comes_back(folder: Path) -> None:
    script = r"""
mount -t tmpfs none /usr/local/sbin
cat >/usr/local/sbin/nft <<'END'
#!/bin/sh
[ "$1" != monitor ] || until [ -e /run/flushed ]; do sleep 0.1; done
/usr/sbin/nft "$@" || exit
[ "$1" != --stateless ] || : >/run/looked
END
chmod +x /usr/local/sbin/nft
"$CONTROL" start
rm /run/looked
setsid "$CONTROL" guard >/dev/null 2>&1 &
within_a_minute test -e /run/looked
/usr/sbin/nft flush ruleset
: >/run/flushed
within_a_minute loaded
"$CONTROL" status
"""
    assert told(folder, script) == ['{"table": "loaded"}']


def test_a_guard_that_died_leaves_the_table_for_the_next(folder: Path) -> None:
    script = '"$CONTROL" start; SERVICE_RESULT=signal "$CONTROL" stop; "$CONTROL" status'
    assert told(folder, script) == ['{"table": "loaded"}']

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the edge of a host promises, tried from an attacker's place and by breaking things on the droplet.

usage: prove.py DROPLET ATTACKER
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import NamedTemporaryFile
from typing import Any, TypeVar

DOUBLE = "planner-memory/service-double:0.1.0"
VALKEY = "valkey/valkey:8.1.1"
LABEL = "com.bestviable.planner_memory.watchdog=true"
RECALL = "/api/v1/memory/recall?client_id=1"
CONTROL = "/usr/local/lib/planner-memory"
# Everything that the site listens on is below.
USUAL, ALL = "1-9000", "1-65535"
# Seconds for what must come; and between two scans, so that the kernel forgets what it answered to the one before.
PATIENCE, BETWEEN_SCANS = 120, 10
T = TypeVar("T")


def call(*argv: str, check: bool = True) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)
    if check and done.returncode:
        raise SystemExit(f"{' '.join(argv)}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


class Rig:
    def __init__(self, droplet: str, attacker: str) -> None:
        self.droplet, self.attacker = droplet, attacker
        self.host = self._address(droplet)
        self.own = self._address(attacker)

    @staticmethod
    def _address(container: str) -> str:
        return call(
            "docker", "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container
        )

    def on(self, *argv: str, check: bool = True) -> str:
        return call("docker", "exec", self.droplet, *argv, check=check)

    def attack(self, *argv: str) -> str:
        return call("docker", "exec", self.attacker, *argv)

    def containers(self) -> dict[str, str]:
        """Address → name of everything that runs on the droplet."""
        listed = json.loads(self.on("sh", "-c", "docker inspect $(docker ps -q)"))
        return {
            network["IPAddress"]: one["Name"].lstrip("/")
            for one in listed
            for network in one["NetworkSettings"]["Networks"].values()
            if network["IPAddress"]
        }

    def open_ports(self, ports: str = USUAL, *addresses: str) -> list[str]:
        """What answers the attacker, as name:port."""
        names = {self.host: "host", "127.0.0.1": "loopback", **self.containers()}
        seen = json.loads(self.attack("python3", "/scan.py", self.own, ports, *(addresses or names)))
        return sorted({f"{names[address]}:{port}" for address, open_of in seen.items() for port in open_of})

    def report(self, service: str) -> dict[str, Any]:
        return json.loads(self.on(f"{CONTROL}/{service}/control", "status", check=False))

    def inspect(self, container: str) -> dict[str, Any]:
        return json.loads(self.on("docker", "inspect", container))[0]

    def health(self, container: str) -> str:
        return self.inspect(container)["State"]["Health"]["Status"]


def at_last(ask: Callable[[], T], enough: Callable[[T], Any], pause: float = 0.2) -> T:
    """The first answer that is enough, else the last: a busy machine is late, or loses single answers."""
    deadline = time.monotonic() + PATIENCE
    while not enough(answer := ask()) and time.monotonic() < deadline:
        time.sleep(pause)
    return answer


def until(what: str, holds: Callable[[], Any]) -> None:
    if not at_last(holds, bool):
        raise SystemExit(f"not within {PATIENCE} s: {what}")


def proved(words: str, holds: bool) -> None:
    print(("ok      " if holds else "FAILED  ") + words, flush=True)
    if not holds:
        raise SystemExit(words)


def isolation(rig: Rig) -> None:
    seen = rig.open_ports(ALL)
    proved(f"with the table no TCP port of any address answers a neighbour (SYN to {ALL}): {seen}", seen == [])

    rig.on("systemctl", "stop", "planner-memory-firewall")
    # Of fewer ports: what is not dropped at once is remembered by the kernel, and its table has an end.
    expected = {"loopback:6379", "loopback:80", "valkey:6379", "observer-agent:8093", "memory-gateway:8090"}
    seen = at_last(rig.open_ports, expected.issubset, BETWEEN_SCANS)
    hidden = "" if "loopback:80" in seen else " (this stack's table on the machine of the rig would hide the loopback)"
    proved(f"without it the same scan sees {', '.join(seen)}{hidden}", expected <= set(seen))
    rig.on("systemctl", "start", "planner-memory-firewall")
    proved("and loaded again it does not", rig.open_ports() == [])

    rig.on("systemctl", "restart", "docker")
    until("all run after the engine's restart", lambda: len(rig.containers()) >= 9)
    was = rig.inspect("observer-agent")["Id"]
    rig.on("docker", "compose", "--file=/home/david/services/observer-agent/docker-compose.yml", "up", "--detach",
           "--force-recreate")  # fmt: skip
    rig.on("docker", "network", "disconnect", "docker_syncbricks", "observer-agent")
    rig.on("docker", "network", "connect", "--ip", "10.203.20.77", "docker_syncbricks", "observer-agent")
    proved("a container is another one, at another address", rig.inspect("observer-agent")["Id"] != was
           and "10.203.20.77" in rig.containers())  # fmt: skip
    proved("after that and systemctl restart docker nothing answers", rig.open_ports(ALL) == [])
    for who in (("nft", "flush", "ruleset"), ("systemctl", "start", "nftables"), ("systemctl", "stop", "nftables")):
        rig.on(*who)
        until(f"loaded again by itself after {' '.join(who)}", lambda: rig.report("firewall") == {"table": "loaded"})
    rig.on("systemctl", "reload", "planner-memory-firewall")
    proved("after nft flush ruleset, nftables.service and a reload nothing answers", rig.open_ports() == [])
    rig.on("systemctl", "restart", "docker")
    until("all run again", lambda: len(rig.containers()) >= 9)
    ping = (
        "import socket; s = socket.create_connection(('127.0.0.1', 6379), 10); s.send(b'PING\\r\\n'); print(s.recv(9))"
    )
    said = at_last(lambda: rig.on("python3", "-c", ping, check=False), lambda said: "PONG" in said)
    proved("the host itself reaches Valkey on its loopback", "PONG" in said)
    rig.on("nft", "add", "rule", "inet", "planner_memory", "prerouting", "counter", "accept")
    proved("a rule that somebody added is told of", rig.report("firewall") == {"table": "changed"})
    rig.on("systemctl", "reload", "planner-memory-firewall")
    proved("and gone after a reload", rig.report("firewall") == {"table": "loaded"})


def isolation_of_ipv6(rig: Rig) -> None:
    """The rig's network has none, so both get it by hand, and the droplet forwards it, as a host with IPv6 may."""
    host, own, container = "fd66::1", "fd66::2", "fd67::10"
    six = "for what in all default eth0; do sysctl -qw net.ipv6.conf.$what.disable_ipv6=0; done; ip -6 addr replace"
    rig.on("sh", "-c", f"{six} {host}/64 dev eth0 nodad; sysctl -qw net.ipv6.conf.all.forwarding=1")
    here = f"{six} {own}/64 dev eth0 nodad; ip -6 route replace fd67::/64 via {host}"
    rig.attack("sh", "-c", f"mount -o remount,rw /proc/sys; {here}")
    rig.on("docker", "network", "create", "--ipv6", "--subnet=fd67::/64", "six")
    rig.on("docker", "run", "--detach", "--name=six", "--network=six", f"--ip6={container}",
           "--entrypoint=python3", DOUBLE, "-m", "http.server", "--bind=::", "8090")  # fmt: skip
    until("it answers over IPv6", lambda: rig.on("curl", "-sgf", f"http://[{container}]:8090/", check=False))

    def seen(ports: str = USUAL) -> dict[str, list[int]]:
        return json.loads(rig.attack("python3", "/scan.py", own, ports, host, container))

    closed: dict[str, list[int]] = {host: [], container: []}
    proved(f"over IPv6 no TCP port of host and container answers a neighbour (SYN to {ALL})", seen(ALL) == closed)
    rig.on("systemctl", "stop", "planner-memory-firewall")
    expected = {host: [], container: [8090]}
    found = at_last(seen, lambda found: found == expected, BETWEEN_SCANS)
    proved(f"without the table the same scan sees {found}", found == expected)
    rig.on("systemctl", "start", "planner-memory-firewall")
    proved("and loaded again it does not", seen() == closed)
    rig.on("docker", "rm", "--force", "six")
    rig.on("docker", "network", "rm", "six")


@contextmanager
def events_of(rig: Rig, container: str) -> Iterator[Callable[[], list[tuple[str, float]]]]:
    """What becomes of a container, as (action, seconds); heard at once, for the engine keeps the last 256 of all."""
    argv = ("docker", "exec", rig.droplet, "docker", "events", f"--since={int(time.time())}",
            f"--filter=container={container}", "--filter=event=start", "--filter=event=health_status: unhealthy",
            "--format={{json .}}")  # fmt: skip
    with NamedTemporaryFile() as kept, subprocess.Popen(argv, stdout=kept) as listening:

        def heard() -> list[tuple[str, float]]:
            lines = Path(kept.name).read_text(encoding="utf-8").rpartition("\n")[0].splitlines()
            return [(one["Action"], one["timeNano"] / 1e9) for one in map(json.loads, lines)]

        try:
            yield heard
        finally:
            listening.kill()


def watchdog(rig: Rig, events: Callable[[], list[tuple[str, float]]]) -> None:
    rig.on("docker", "run", "--detach", "--name=sick", f"--label={LABEL}", "--env=SERVICE_NAME=memory-gateway",
           "--env=PORT=8090", "--network=docker_proxy", "--label=traefik.enable=true",
           "--label=traefik.http.routers.sick.rule=Host(`sick.example`)",
           "--label=traefik.http.services.sick.loadbalancer.server.port=8090",
           "--health-cmd=curl -sf http://localhost:8090/health", "--health-interval=1s", "--health-timeout=10s",
           "--health-start-period=60s", "--health-start-interval=1s", "--health-retries=2", DOUBLE)  # fmt: skip

    def answer() -> str:
        asked = ("curl", "-s", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Host: sick.example")
        return rig.on(*asked, "http://127.0.0.1/", check=False)

    def restarts() -> int:
        return [what for what, _when in events()].count("start") - 1

    def told(*how: str) -> None:
        rig.on("docker", "exec", "sick", "curl", "-sf", *how, "http://localhost:8090/_double/behaviour")

    until("healthy and routed at first", lambda: answer() == "200")
    until("the engine tells of its start", events)
    for times in range(1, 6):
        if times == 1:
            rig.on("docker", "kill", "--signal=STOP", "sick")
        else:
            told("-H", "Content-Type: application/json", "-d", '{"unhealthy": true}')
        until(f"restarted {times} times", lambda wanted=times: restarts() >= wanted)
        until("healthy, and the route is back", lambda: rig.health("sick") == "healthy" and answer() == "200")
    told("-H", "Content-Type: application/json", "-d", '{"unhealthy": true}')
    until("given up", lambda: rig.report("watchdog")["given_up"] == ["sick"])
    proved("SIGSTOP once and /health broken four times: healthy again and routed each time", True)
    delays = [later - sooner for (what, sooner), (then, later) in pairwise(events())
              if "unhealthy" in what and then == "start"]  # fmt: skip
    proved(f"restarted {restarts()} times, each after the engine's verdict",
           restarts() == len(delays) == 5 <= rig.report("watchdog")["restarts"])  # fmt: skip
    # Half a second on a quiet machine; one that is busy elsewhere may hold up some of them.
    proved(f"restarted within {', '.join(f'{one:.2f}' for one in delays)} s", median(delays) <= 2)
    started = rig.inspect("sick")["State"]["StartedAt"]
    proved("given up, it is not routed", at_last(answer, "404".__eq__) == "404")
    time.sleep(4)
    proved("given up, it is left alone", rig.inspect("sick")["State"]["StartedAt"] == started)
    journal = ("journalctl", "--unit=planner-memory-watchdog", "--priority=err", "--output=cat", "--no-pager")
    loud = at_last(lambda: rig.on(*journal), lambda loud: "giving up on sick" in loud)
    proved(f"one error line: {loud}", loud.count("giving up on sick") == 1)
    told("-X", "DELETE")
    until("forgiven when it is healthy", lambda: rig.report("watchdog")["given_up"] == [])
    rig.on("docker", "rm", "--force", "sick")


def forwarded(rig: Rig) -> None:
    """What services see of a client: cloudflared's place is the host's loopback, any other is not believed."""
    headers = ("-H", "Host: memory.bestviable.com", "-H", "X-Forwarded-Proto: https", "-H", "X-Forwarded-For: 1.2.3.4",
               "-H", "Forwarded: for=1.2.3.4;proto=https")  # fmt: skip

    def seen() -> dict[str, str]:
        kept = rig.on("docker", "exec", "memory-gateway", "curl", "-s", "http://localhost:8090/_double/requests")
        asked = [one for one in json.loads(kept)["requests"] if "route" in one["query"]]
        return {key.lower(): value for key, value in asked[-1]["headers"].items()}

    until("routed", lambda: rig.on("curl", "-sf", f"http://127.0.0.1{RECALL}&route=1", *headers, check=False))
    believed = seen()
    proved(f"https from cloudflared's place: {believed['x-forwarded-proto']}, {believed['x-forwarded-for']}",
           believed["x-forwarded-proto"] == "https" and believed["x-forwarded-for"].startswith("1.2.3.4"))  # fmt: skip
    rig.on("docker", "exec", "planner-engine", "curl", "-sf", f"http://traefik{RECALL}&route=2", *headers)
    spoofed = seen()
    proved(f"the same from another container: {spoofed['x-forwarded-proto']}, {spoofed['x-forwarded-for']}",
           spoofed["x-forwarded-proto"] == "http" and "1.2.3.4" not in spoofed["x-forwarded-for"])  # fmt: skip
    rig.on("docker", "exec", "cloudflared", "curl", "-sf", f"http://traefik{RECALL}&route=3", *headers)
    believed = seen()
    proto, client = believed["x-forwarded-proto"], believed["x-forwarded-for"]
    proved(f"https from the container in cloudflared's place: {proto}, {client}",
           proto == "https" and client.startswith("1.2.3.4"))  # fmt: skip
    proved("RFC 7239's Forwarded reaches no service, from nobody",
           not [one for one in (believed, spoofed) if "forwarded" in one])  # fmt: skip
    secret = "/home/david/services/cloudflared/credentials.json"
    owner = rig.on("stat", "--format=%u %a", secret)
    shown = json.dumps(rig.inspect("cloudflared"))
    proved(f"its secret is a file of its user alone ({owner}), and in no inspection",
           owner == "65532 400" and json.loads(rig.on("cat", secret))["TunnelSecret"] not in shown)  # fmt: skip
    closed = {path: rig.on("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1{path}")
              for path in ("/dashboard/", "/api/rawdata", "/ping", "/metrics")}  # fmt: skip
    proved(f"Traefik's own pages are closed: {closed}", set(closed.values()) == {"404"})


def limits(rig: Rig) -> None:
    eater = "import time; hoard = []\nwhile True: hoard.append(bytearray(4 << 20)); time.sleep(0.02)"
    rig.on("docker", "run", "--detach", "--name=eater", "--memory=64m", "--restart=unless-stopped",
           "--entrypoint=python3", DOUBLE, "-c", eater)  # fmt: skip
    until("restarted after the kernel killed it", lambda: rig.inspect("eater")["RestartCount"] >= 1)
    proved(f"out of memory: restarted {rig.inspect('eater')['RestartCount']} times", True)
    rig.on("docker", "rm", "--force", "eater")
    rig.on("docker", "run", "--name=talker", "--log-opt=max-size=10m", "--log-opt=max-file=3", "--entrypoint=sh",
           VALKEY, "-c", "yes $(printf %0100d 0) | head -c 60000000 >&2")  # fmt: skip
    path = Path(rig.inspect("talker")["LogPath"]).parent
    kept = int(rig.on("sh", "-c", f"cat {path}/*-json.log* | wc -c"))
    proved(f"60 MB of log: {kept / 1e6:.1f} MB on disk", kept <= 30_100_000)
    rig.on("docker", "rm", "--force", "talker")


def main(droplet: str, attacker: str) -> None:
    rig = Rig(droplet, attacker)
    started = datetime.datetime.now()
    rig.attack("sh", "-c", f"ip route replace 10.203.0.0/16 via {rig.host}; ip addr del 127.0.0.1/8 dev lo;"
               f" ip route replace 127.0.0.1/32 via {rig.host} dev eth0")  # fmt: skip
    forwarded(rig)
    isolation(rig)
    isolation_of_ipv6(rig)
    with events_of(rig, "sick") as events:
        watchdog(rig, events)
    limits(rig)
    print(f"{(datetime.datetime.now() - started).seconds} s")


if __name__ == "__main__":
    main(*sys.argv[1:])

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which TCP ports of some addresses answer: SYNs to all of them, and who sends SYN-ACK.

A firewall that drops makes every connect wait; this waits once. Runs in the attacker's container, against the droplet.
usage: scan.py SOURCE FIRST-LAST ADDRESS...     prints JSON, address to open ports; all of the family of SOURCE
"""

from __future__ import annotations

import json
import random
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator

SYN, SYN_ACK, WINDOW = 0x02, 0x12, 1024
FRAMES = {socket.AF_INET: 0x0800, socket.AF_INET6: 0x86DD}
BATCH, PAUSE, PATIENCE = 250, 0.004, 1.5
# As SO_RCVBUF, but not bounded by net.core.rmem_max; Python has no name for it.
SO_RCVBUFFORCE = 33


def syns(family: int, source: str, target: str, own_port: int, ports: range) -> Iterator[tuple[int, bytes]]:
    """Port and SYN; the port is the sequence number too, so that each checksum is a sum away from the others."""
    both = socket.inet_pton(family, source) + socket.inet_pton(family, target)
    addresses = struct.unpack(f">{len(both) // 2}H", both)
    common = sum(addresses) + socket.IPPROTO_TCP + 20 + own_port + ((5 << 12) | SYN) + WINDOW
    for port in ports:
        total = common + 2 * port
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        yield port, struct.pack(">HHIIHHHH", own_port, port, port, 0, (5 << 12) | SYN, WINDOW, ~total & 0xFFFF, 0)


class Listener(threading.Thread):
    """Everything that answers to our port with SYN-ACK."""

    def __init__(self, family: int, own_port: int) -> None:
        super().__init__(daemon=True)
        self.family = family
        self.own_port = own_port
        self.seen: set[tuple[bytes, int]] = set()
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(FRAMES[family]))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)

    def run(self) -> None:
        while True:
            packet = self.socket.recv(2048)
            if self.family == socket.AF_INET:
                offset, protocol, sender = (packet[0] & 15) * 4, packet[9], packet[12:16]
            else:
                offset, protocol, sender = 40, packet[6], packet[8:24]
            if protocol != socket.IPPROTO_TCP or len(packet) < offset + 14:
                continue
            port, own_port = struct.unpack(">HH", packet[offset : offset + 4])
            if own_port == self.own_port and packet[offset + 13] & SYN_ACK == SYN_ACK:
                self.seen.add((sender, port))


def main(source: str, ports: str, *addresses: str) -> None:
    first, last = (int(part) for part in ports.split("-"))
    own_port = random.randint(61000, 65000)
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    listener = Listener(family, own_port)
    listener.start()
    out = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP)
    for address in addresses:
        for port, packet in syns(family, source, address, own_port, range(first, last + 1)):
            out.sendto(packet, (address, 0))
            if port % BATCH == 0:
                time.sleep(PAUSE)
    time.sleep(PATIENCE)
    packed = {address: socket.inet_pton(family, address) for address in addresses}
    found = {
        address: sorted(port for sender, port in listener.seen if sender == packed[address]) for address in addresses
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])

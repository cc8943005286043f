from __future__ import annotations

from ansible_collections.bestviable.planner_memory.plugins.module_utils._live import firewall

ROUTES = """Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	0102A8C0	0003	0	0	0	00000000	0	0	0
eth0	0002A8C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
down0	000010AC	00000000	0000	0	0	0	0000F0FF	0	0	0
"""


def test_routes_that_are_up() -> None:
    assert firewall.routes_of(ROUTES) == [
        {"interface": "eth0", "subnet": "0.0.0.0/0"},
        {"interface": "eth0", "subnet": "192.168.2.0/24"},
    ]
    assert firewall.routes_of("") == []


def test_who_else_manages_the_firewall_is_named() -> None:
    none = {"nftables": False, "firewalld": False}
    assert firewall.managers_of("ENABLED=no\n", "flush ruleset\n", none) == []
    assert "ufw is enabled" in firewall.managers_of("# x\nENABLED=yes\n", "", none)[0]
    assert "firewalld runs" in firewall.managers_of("", "", {**none, "firewalld": True})[0]
    assert "side by side" in firewall.managers_of("", "table inet x {}\n", {**none, "nftables": True})[0]
    stock = firewall.managers_of("", "#!/usr/sbin/nft -f\n\nflush ruleset\n", {**none, "nftables": True})[0]
    assert "until the engine is restarted" in stock

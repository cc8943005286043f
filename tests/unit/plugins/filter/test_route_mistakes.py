from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.bestviable.planner_memory.plugins.filter.route_mistakes import FilterModule, route_mistakes

GOOD: dict[str, Any] = {
    "memory-gateway": {"host": "memory.example.org", "public": True},
    "planner-engine": {"host": "planner.example.org"},
    "observer-agent": {"host": ""},
}
ROUTES = [
    {"container": "memory-gateway", "router": "memory-gateway", "hosts": ["memory.example.org"]},
    {"container": "openweb", "router": "web", "hosts": ["openweb.example.org"]},
]


def test_hosts_of_their_own_are_fine() -> None:
    assert route_mistakes(GOOD) == []
    assert route_mistakes(GOOD, ROUTES) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"planner-engine": {"host": "memory.example.org"}}, "memory-gateway and planner-engine have the same host"),
        ({"memory-gateway": {"host": "", "public": True}}, "memory-gateway is public and has no host"),
        ({"memory-gateway": {"host": None, "public": "true"}}, "memory-gateway is public and has no host"),
        (
            {"observer-agent": {"host": "o.example.org", "public": False}},
            "observer-agent is internal (public is false)",
        ),
        ({"planner-engine": {"host": "https://p.example.org"}}, "'https://p.example.org', which is no host name"),
        ({"planner-engine": {"host": "openweb.example.org"}}, "taken by container openweb (router web)"),
    ],
)
def test_each_mistake_is_one_sentence(changes: dict[str, Any], words: str) -> None:
    found = route_mistakes({**GOOD, **changes}, ROUTES)
    assert len(found) == 1 and words in found[0] and "\n" not in found[0]


def test_something_else_than_services_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="wants a mapping of names to services, but got list"):
        route_mistakes([])


def test_the_plugin_offers_the_filter() -> None:
    assert FilterModule().filters() == {"route_mistakes": route_mistakes}

from __future__ import annotations

from typing import Any, Optional

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live.match import (
    MISSING,
    is_matcher,
    mismatch,
    pick,
    short,
    unmatched,
)

INSPECT = {
    "Config": {"Labels": {"traefik.enable": "true"}, "Cmd": ["valkey-server", "--maxmemory", "200mb"]},
    "HostConfig": {"Memory": 209715200, "PortBindings": {"6379/tcp": [{"HostIp": "127.0.0.1"}]}},
    "Empty": None,
}


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("Config/Labels/traefik.enable", "true"),
        ("Config/Cmd/0", "valkey-server"),
        ("Config/Cmd/-1", "200mb"),
        ("Config/Cmd/9", MISSING),
        ("Config/Cmd/x", MISSING),
        ("HostConfig/PortBindings/6379/tcp/0/HostIp", "127.0.0.1"),
        ("HostConfig/Memory/deeper", MISSING),
        ("Nowhere/at/all", MISSING),
        ("Empty", None),
        ("", INSPECT),
    ],
)
def test_pick(path: str, seen: Any) -> None:
    assert pick(INSPECT, path) == seen


@pytest.mark.parametrize(
    ("seen", "matcher", "words"),
    [
        ("PONG", "PONG", None),
        ("PING", "PONG", "PONG"),
        (1, True, "True"),
        (True, 1, "1"),
        (200, 200.0, None),
        (["a", "b"], ["a", "b"], None),
        (["b", "a"], ["a", "b"], "['a', 'b']"),
        ({"a": 1}, {"a": 1}, None),
        ({"a": 1}, {"equals": {"a": 1}}, None),
        (None, None, None),
        (MISSING, None, "None"),
        ("abc", {"contains": "b"}, None),
        ("abc", {"contains": "x"}, "something with x"),
        (["a"], {"contains": "a"}, None),
        ({"a": 1}, {"contains": "a"}, None),
        (MISSING, {"contains": "a"}, "something with a"),
        (["a", "b"], {"superset": ["b"]}, None),
        (["a"], {"superset": ["a", "c"]}, "at least c"),
        ({"a": 1, "b": 2}, {"superset": {"a": 1}}, None),
        ({"a": 2}, {"superset": {"a": 1}}, "at least a"),
        ({"a": 2}, {"superset": ["a"]}, None),
        ("ab", {"superset": ["a"]}, "at least ['a']"),
        ([], {"superset": {"a": 1}}, "at least {'a': 1}"),
        ({"a": 1}, {"keys": ["a"]}, None),
        ({"a": 1, "b": 2}, {"keys": ["a"]}, "exactly a"),
        ({}, {"keys": ["a"]}, "exactly a"),
        (["a"], {"keys": ["a"]}, "exactly a"),
        ("PONG 12 ms", {"regex": r"^PONG \d+"}, None),
        (MISSING, {"regex": "nothing"}, "/nothing/"),
        (43, {"max": 100}, None),
        (143, {"max": 100}, "at most 100"),
        ("43", {"min": 43}, None),
        (True, {"min": 0}, "at least 0"),
        (MISSING, {"max": 100}, "at most 100"),
        ("x", {"min": 1}, "at least 1"),
        (5, {"min": 1, "max": 4}, "at most 4"),
        (302, {"one_of": [200, 302]}, None),
        (500, {"one_of": [200, 302]}, "one of 200, 302"),
        (MISSING, {"absent": True}, None),
        (None, {"absent": True}, "nothing"),
        (MISSING, {"absent": False}, "anything"),
    ],
)
def test_mismatch(seen: Any, matcher: Any, words: Optional[str]) -> None:
    assert mismatch(seen, matcher) == (words or None)


def test_a_mapping_with_other_keys_is_a_literal() -> None:
    assert not is_matcher({"min": 1, "other": 2})
    assert not is_matcher({})
    assert mismatch({"min": 1, "other": 2}, {"min": 1, "other": 2}) is None


def test_every_expectation_that_does_not_hold_is_told() -> None:
    assert unmatched({"rc": 1, "stdout": ""}, {"rc": 0, "stdout": "PONG", "ms": {"absent": True}}) == [
        "rc: wanted 0, seen 1",
        "stdout: wanted PONG, seen ''",
    ]


def test_long_and_many_line_values_are_shortened() -> None:
    assert short("a\nb") == "a⏎b"
    assert len(short("x" * 1000)) == 160

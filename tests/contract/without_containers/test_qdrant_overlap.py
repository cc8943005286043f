# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that overlap, some of them cut off, in many orders: whatever the order, the points stay."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant import transfer

from tests.support.overlapping import Interrupted, Memory, Turns, once, until_settled

DOT = {"size": 4, "distance": "Dot"}
EUCLID = {**DOT, "distance": "Euclid"}
MANHATTAN = {**DOT, "distance": "Manhattan"}
POINTS = 11
OWN_NAME = {"name": "p", "vectors": EUCLID, "on_immutable": "rebuild", "drop_old": True, "backup": False}
ALIAS = {**OWN_NAME, "aliases": ["live"]}
KEPT = {**ALIAS, "drop_old": False}


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several requests for each copy, so that much can happen between."""
    monkeypatch.setattr(transfer, "POINTS_IN_THE_FIRST_PAGE", 3)
    monkeypatch.setattr(transfer, "POINTS_IN_A_PAGE", 4)


def memory(**more: Any) -> Memory:
    made = Memory()
    once(made, {"name": "p", "vectors": DOT, "payload_indexes": {"n": "integer"}, **more})
    made.put("p", POINTS)
    return made


@pytest.mark.parametrize(("runs", "kills"), [(2, 0), (3, 0), (2, 1), (3, 3)])
@pytest.mark.parametrize(("wanted", "name"), [(OWN_NAME, "p"), (ALIAS, "live"), (KEPT, "live")])
def test_the_points_stay_whoever_comes_when(wanted: dict[str, Any], name: str, runs: int, kills: int) -> None:
    for seed in range(100):
        server = memory(aliases=["live"] if name == "live" else None)
        turns = Turns(server, seed)
        turns.all([wanted] * runs, kills)
        assert until_settled(server, wanted) <= 4, (seed, turns.trace)
        assert server.points(name) == POINTS, (seed, turns.trace, server.aliases)
        made = server.collections[server.aliases[name]]
        assert (made["body"]["vectors"], [*made["indexes"]]) == (EUCLID, ["n"]), (seed, turns.trace)
        assert not [alias for alias in server.aliases if "__" in alias], (seed, turns.trace, server.aliases)


def test_readers_that_another_run_moved_stay_where_they_are() -> None:
    server = memory(aliases=["live"])
    other = Interrupted(server, "/collections/p__v2", lambda: once(server, ALIAS))
    with pytest.raises(StackError, match="p is an alias of p__v3 now, so another run has moved its readers"):
        once(server, {**ALIAS, "vectors": MANHATTAN}, other)
    assert (server.aliases["live"], server.aliases["p"]) == ("p__v3", "p__v3")
    assert until_settled(server, ALIAS) <= 2


def test_readers_of_a_newer_version_are_not_moved_back() -> None:
    server = memory(aliases=["live"])
    once(server, ALIAS)
    once(server, {**KEPT, "vectors": MANHATTAN})
    server.aliases["p"] = "p__v2"
    server.put("live", POINTS + 5)
    for wanted in (ALIAS, {**KEPT, "vectors": MANHATTAN}, {"name": "p", "vectors": EUCLID, "aliases": ["live"]}):
        with pytest.raises(StackError, match="alias live serves p__v3, which is newer than p__v2, which the name p"):
            once(server, wanted)
    assert server.points("live") == POINTS + 5

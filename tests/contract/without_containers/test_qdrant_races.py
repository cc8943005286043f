# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two runs at once, writers that go on, and runs that are cut off: no point is lost by any of them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import _apply_all

from tests.support.collections_law import (
    REBUILD,
    SMALL,
    aliases,
    count,
    filled,
    killed,
    law,
    names,
    put,
    resource,
    run,
)
from tests.support.standin import StandIn

GONE = {"name": "c", "state": "absent", "confirm_data_loss": "c"}
RECREATE = {"name": "c", "vectors": {**SMALL, "size": 3}, "on_immutable": "recreate", "confirm_data_loss": "c"}
COPIED = "/collections/c__v2/points"


@pytest.mark.parametrize("drop", [False, True])
def test_a_run_that_planned_while_another_copied_deletes_nothing_of_it(server: StandIn, drop: bool) -> None:
    filled(server, aliases=["live"])
    wanted = {**REBUILD, "drop_old": drop}
    second = resource(server, wanted)
    plans: list[Any] = []
    server.meanwhile("after", "PUT", COPIED, lambda: plans.append(second.plan(second.observe())))
    run(server, wanted)
    assert "delete c__v2, left unfinished by an earlier rebuild" in [step.words for step in plans[0].operations]
    with pytest.raises(StackError, match=r"now, so another run has moved|now and pointed to c when this run looked"):
        _apply_all(second, plans[0].operations, [])
    assert (aliases(server)["live"], count(server, "live")) == ("c__v2", 30)
    run(server, wanted)
    assert run(server, wanted)["changed"] is False
    assert (aliases(server)["live"], count(server, "live")) == ("c__v2", 30)


def test_who_takes_a_copy_over_can_end_it_and_whoever_had_it_cannot(server: StandIn) -> None:
    filled(server, aliases=["live"])
    server.meanwhile("after", "PUT", COPIED, lambda: run(server, REBUILD))
    with pytest.raises(StackError, match="c or its copy c__v2 is not there any more, so another run has ended it"):
        run(server, REBUILD)
    assert (aliases(server), count(server, "live"), count(server, "c")) == ({"live": "c__v3"}, 30, 30)
    assert run(server, REBUILD)["changed"] is False


def test_of_two_runs_that_find_a_copy_without_a_mark_one_goes_on(server: StandIn) -> None:
    filled(server, aliases=["live"])

    def other() -> None:
        run(server, REBUILD)
        # A writer goes on where the readers are, and its point is not overwritten with the old one.
        server.result("POST", "/collections/live/points/payload?wait=true", {"payload": {"new": 1}, "points": [1]})

    server.meanwhile("after", "PUT", "/collections/c__v2", other)
    with pytest.raises(StackError, match="another run works on c__v2, which has alias live since this one looked"):
        run(server, REBUILD)
    assert aliases(server) == {"live": "c__v2"}
    (point,) = server.result("POST", "/collections/live/points", {"ids": [1], "with_payload": True})
    assert point["payload"]["new"] == 1
    assert run(server, REBUILD)["changed"] is False


def test_a_mark_that_is_taken_over_in_the_last_moment_stops_a_deletion(server: StandIn) -> None:
    filled(server, aliases=["live"])
    killed(server, 3, REBUILD)
    (mark,) = [alias for alias in aliases(server) if alias != "live"]
    action = {"rename_alias": {"old_alias_name": mark, "new_alias_name": "c__building_ff"}}

    def taken() -> None:
        server.result("POST", "/collections/aliases", {"actions": [action]})

    def watched() -> None:
        server.meanwhile("before", "POST", "/collections/c__v2/points/count", taken)

    server.meanwhile("after", "PUT", "/collections/c__v3", watched)
    with pytest.raises(StackError, match=f"another run works on c__v2: its mark, alias {mark}, is not there any more"):
        run(server, REBUILD)
    assert (count(server, "c__v2"), aliases(server)["c__building_ff"]) == (30, "c__v2")
    law(server, REBUILD)


def test_a_copy_that_was_not_filled_is_never_taken_for_the_collection(server: StandIn) -> None:
    filled(server, aliases=["live"])
    killed(server, 3, REBUILD)
    server.result("DELETE", "/collections/c")
    assert law(server, REBUILD) == ["create collection c (4 Dot)", "create alias live of c"]
    (kept,) = run(server, REBUILD)["warnings"]
    assert "c__v2 is an unfinished copy with 30 points that are not in c, so it is kept" in kept
    assert (aliases(server)["live"], count(server), count(server, "c__v2")) == ("c", 0, 30)
    # Nor does the next rebuild take it away without a snapshot.
    euclid = {**REBUILD, "vectors": {**SMALL, "distance": "Euclid"}}
    with pytest.raises(StackError, match=r"c__v2, left unfinished by an earlier run, holds 30 points and c 0"):
        run(server, {**euclid, "backup": False})
    assert "snapshot collection c__v2 (30 points)" in law(server, euclid)


def test_who_rebuilds_no_more_hears_of_what_was_left(server: StandIn) -> None:
    filled(server, aliases=["live"])
    killed(server, 3, REBUILD)
    told = run(server, {"name": "c", "vectors": SMALL})
    assert (told["changed"], len(told["warnings"])) == (False, 1)
    assert "c__v2 was left unfinished by a rebuild; go on with on_immutable: rebuild" in told["warnings"][0]


def test_absent_takes_an_unfinished_copy_along_and_says_so(server: StandIn) -> None:
    filled(server, aliases=["live"])
    killed(server, 3, REBUILD)
    with pytest.raises(StackError, match="holds 60 points, which state: absent would destroy"):
        run(server, {"name": "c", "state": "absent"})
    assert law(server, GONE) == [
        "delete c__v2, left unfinished by an earlier rebuild",
        "snapshot collection c (30 points)",
        "delete collection c (30 points)",
    ]
    assert server.everything() == {"collections": {}, "aliases": []}


def test_absent_finds_the_copy_when_the_original_is_gone(server: StandIn) -> None:
    filled(server, aliases=["live"])
    killed(server, 3, REBUILD)
    server.result("DELETE", "/collections/c")
    law(server, GONE)
    assert names(server) == []
    assert len(list(server.store.snapshots.glob("c__v2/*.snapshot"))) == 1


def test_points_that_come_to_an_empty_collection_after_the_plan_are_copied_too(server: StandIn) -> None:
    run(server, {"name": "c", "vectors": SMALL, "aliases": ["live"]})
    server.meanwhile("before", "PUT", "/collections/c__v2", lambda: put(server, "live", 1))
    run(server, {**REBUILD, "drop_old": True})
    assert (names(server), count(server, "live")) == (["c__v2"], 5)


@pytest.mark.parametrize("drop", [False, True])
def test_points_that_come_between_the_counts_and_the_switch_stop_it(server: StandIn, drop: bool) -> None:
    filled(server, aliases=["live"])
    wanted = {**REBUILD, "drop_old": drop}
    server.meanwhile("after", "PATCH", "/collections/c__v2", lambda: put(server, "live", 101))
    with pytest.raises(StackError, match=r"c holds 35 points and held 30 when they had been copied, so no reader was"):
        run(server, wanted)
    assert (aliases(server)["live"], count(server, "live")) == ("c", 35)
    law(server, wanted)
    assert count(server, "live") == 35


def test_points_that_come_at_the_last_moment_keep_the_old_collection(server: StandIn) -> None:
    filled(server, aliases=["live"])
    wanted = {**REBUILD, "drop_old": True}
    # Somebody who writes by the collection's own name.
    server.meanwhile(
        "after",
        "PUT",
        COPIED,
        lambda: server.meanwhile("after", "POST", "/collections/aliases", lambda: put(server, "c", 101)),
    )
    with pytest.raises(StackError, match="c was not deleted, because c holds 35 points now and held 30 before"):
        run(server, wanted)
    assert (count(server, "live"), count(server, "c")) == (30, 35)
    # And no later run drops it without a word.
    for check in (True, False):
        with pytest.raises(StackError, match=r"drop_old would delete c, which holds 35 points and held 30 when it was"):
            run(server, wanted, check=check)
    assert count(server, "c") == 35
    law(server, {**wanted, "confirm_data_loss": "c"})
    assert names(server) == ["c__v2"]


def test_points_that_come_while_an_empty_collection_is_removed_keep_it(server: StandIn) -> None:
    run(server, {"name": "c", "vectors": SMALL})
    server.meanwhile("after", "GET", "/aliases", lambda: put(server, "c", 1))
    removal = {"name": "c", "state": "absent"}
    planned = resource(server, removal)
    with pytest.raises(StackError, match="holds 5 points, which state: absent would destroy"):
        run(server, removal)
    server.result("POST", "/collections/c/points/delete?wait=true", {"points": [1, 2, 3, 4, 5]})
    plan = planned.plan(planned.observe())
    put(server, "c", 1)
    with pytest.raises(StackError, match="c was not deleted, because c holds 5 points now and held 0 before"):
        _apply_all(planned, plan.operations, [])
    assert count(server) == 5


def test_a_recreation_that_is_cut_off_loses_nothing_but_points(server: StandIn) -> None:
    own = {"hnsw_config": {"m": 33}, "metadata": {"own": 1}, "payload_indexes": {"k": "keyword"}, "aliases": ["live"]}
    filled(server, **own, read_fan_out_factor=2)
    run(server, RECREATE)
    whole, writes = _shape(server), len(server.writes)
    assert (whole["aliases"], list(whole["collections"]["c"]["payload_schema"])) == ([("live", "c")], ["k"])
    for number in range(writes):
        run(server, GONE)
        filled(server, **own, read_fan_out_factor=2)
        killed(server, number, RECREATE)
        run(server, RECREATE)
        assert run(server, RECREATE)["changed"] is False
        assert _shape(server) == whole, f"killed at write {number}"


def test_a_removal_ends_a_recreation_that_was_cut_off(server: StandIn) -> None:
    filled(server, aliases=["live"])
    killed(server, 3, RECREATE)
    assert names(server) == ["c__recreating"]
    law(server, GONE)
    assert server.everything() == {"collections": {}, "aliases": []}


def test_what_was_rebuilt_is_recreated_and_the_old_one_is_not_taken_for_it(server: StandIn) -> None:
    filled(server, aliases=["live"])
    run(server, REBUILD)
    recreate = {**RECREATE, "aliases": ["live"]}
    # After its deletion, and after it was created again.
    for number in (3, 4):
        recreate = {**RECREATE, "vectors": {**SMALL, "size": number}, "aliases": ["live"]}
        killed(server, number, recreate)
        assert aliases(server) == {"live": "c__v2__recreating"}
        run(server, recreate)
        assert run(server, recreate)["changed"] is False
        assert (names(server), aliases(server)) == (["c", "c__v2"], {"live": "c__v2"})
        assert (count(server, "c"), count(server, "live")) == (30, 0)
    # The points that are in the old one alone are not dropped with it.
    dropping = {**recreate, "on_immutable": "rebuild", "drop_old": True, "confirm_data_loss": None}
    kept = run(server, dropping)
    assert (kept["changed"], count(server, "c")) == (False, 30)
    assert "drop_old leaves c, for no note says that the one in use was copied from that" in kept["warnings"][0]


@pytest.mark.parametrize(
    ("vectors", "point", "number"),
    [
        (SMALL, {"vector": [1, 2, 3, 4], "payload": {"text": "x" * 200_000}}, 60),
        ({"m": {**SMALL, "multivector_config": {"comparator": "max_sim"}}}, {"vector": {"m": [[0.1] * 4] * 9000}}, 20),
    ],
)
def test_big_points_are_copied_in_requests_that_the_server_takes(
    server: StandIn, vectors: dict[str, Any], point: dict[str, Any], number: int
) -> None:
    run(server, {"name": "c", "vectors": vectors, "aliases": ["live"]})
    for first in range(0, number, 20):
        points = [{"id": first + one, **point} for one in range(20)]
        server.result("PUT", "/collections/c/points?wait=true", {"points": points})
    named = {name: {**vector, "distance": "Dot"} for name, vector in vectors.items()} if "m" in vectors else None
    run(server, {**REBUILD, "vectors": named or {**SMALL, "distance": "Dot"}})
    assert count(server, "live") == number
    assert 1_000_000 < max(server.bodies) < 10_000_000


def test_a_copy_keeps_to_the_limits_of_both(server: StandIn) -> None:
    filled(server, aliases=["live"], strict_mode_config={"enabled": True, "upsert_max_batchsize": 20})
    run(server, {**REBUILD, "strict_mode_config": {"upsert_max_batchsize": 7}})
    assert len([one for one in server.writes if one == f"PUT {COPIED}"]) == 5
    assert count(server, "live") == 30


def _shape(server: StandIn) -> dict[str, Any]:
    found = server.everything()
    for shown in found["collections"].values():
        for key in ("segments_count", "indexed_vectors_count"):
            shown.pop(key, None)
    return found

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans over several collections, over names that are taken, and what a deletion expects: tables, no server."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Optional

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant import guards, transfer
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import (
    SOURCE_MARK,
    Desired,
    Live,
    World,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.planner import plan
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation

V = {"": {"size": 4, "distance": "Cosine"}}
E = {"": {"size": 4, "distance": "Euclid"}}


def live(name: str, **fields: Any) -> Live:
    return Live(**{"vectors": V, "points": 3, "physical": name, **fields})


def world(*names: str, others: tuple[str, ...] = (), aliases: Optional[dict[str, str]] = None, **fields: Any) -> World:
    known = {name: live(name) for name in (*names, *others)}
    return World(
        names=frozenset(known),
        aliases=aliases or {},
        live={name: known[name] for name in names},
        others={name: known[name] for name in others},
        run="1",
        **fields,
    )


def words(*desired: Desired, there: World) -> list[str]:
    return [step.words for step in plan(desired, there).operations]


@pytest.mark.parametrize("way", ["rebuild", "recreate"])
def test_an_alias_that_one_collection_takes_from_another_stays_taken(way: str) -> None:
    there = world("a", "b", aliases={"x": "b", "y": "b"})
    b = Desired("b", vectors=E, aliases=("y",), on_immutable=way, confirm_data_loss="b")
    done = words(Desired("a", vectors=V, aliases=("x",)), b, there=there)
    assert done[0] == "move alias x from b to a"
    assert not any("alias x" in one for one in done[1:])


def test_an_alias_moves_before_what_it_served_is_deleted() -> None:
    there = world("a", "b", aliases={"x": "a"})
    gone = Desired("a", present=False, confirm_data_loss="a", backup=False)
    found = plan([gone, Desired("b", vectors=V, aliases=("x",))], there).operations
    assert [step.words for step in found] == ["move alias x from a to b", "delete collection a (3 points)"]
    assert found[1].args == {"points": 3, "aliases": []}


def _rebuilt(**aliases: str) -> World:
    there = world("a", others=("a__v2",), aliases={"live": "a__v2", **aliases})
    copy = live("a__v2", vectors=E, metadata={SOURCE_MARK: "a"})
    return replace(there, live={"a": copy}, others={"a": live("a")})


def test_an_old_collection_that_an_undeclared_alias_serves_is_not_dropped() -> None:
    wanted = Desired("a", vectors=E, aliases=("live",), on_immutable="rebuild", drop_old=True)
    assert words(wanted, there=_rebuilt())[1] == "delete old collection a (3 points)"
    with pytest.raises(StackError, match="drop_old would delete a, which alias also, x still serves, so nothing was"):
        plan([wanted], _rebuilt(x="a", also="a"))
    # Unless another collection of the same list takes it.
    there = _rebuilt(x="a")
    there = replace(there, names=there.names | {"z"}, live={**there.live, "z": live("z")})
    done = words(wanted, Desired("z", vectors=V, aliases=("x",)), there=there)
    assert done.index("move alias x from a to z") < done.index("delete old collection a (3 points)")


REBUILD = Desired("a", vectors=E, aliases=("live",), on_immutable="rebuild")


@pytest.mark.parametrize("aliases", [{"a__v2": "o"}, {"a__v2": "a"}])
def test_a_version_that_is_an_alias_is_taken(aliases: dict[str, str]) -> None:
    assert "create collection a__v3 (4 Euclid)" in words(REBUILD, there=world("a", others=("o",), aliases=aliases))
    declared = replace(REBUILD, aliases=("a__v2",))
    assert "create collection a__v3 (4 Euclid)" in words(declared, there=world("a"))


def test_names_that_a_rebuild_or_a_recreation_cannot_have_are_refused_in_the_plan() -> None:
    name = "n" * 245
    for way in ("rebuild", "recreate"):
        wanted = Desired(name, vectors=E, aliases=("live",), on_immutable=way, confirm_data_loss=name)
        with pytest.raises(StackError, match=f"on_immutable is {way}, which needs the name {name}__"):
            plan([wanted], world(name))


@pytest.mark.parametrize("way", ["rebuild", "recreate"])
@pytest.mark.parametrize(("declared", "kept"), [(None, True), ({}, False)])
def test_indexes_are_pruned_only_where_indexes_are_declared(way: str, declared: Any, kept: bool) -> None:
    there = world("a")
    there = replace(there, live={"a": live("a", payload_indexes={"k": {"type": "keyword"}})})
    wanted = replace(REBUILD, payload_indexes=declared, prune_indexes=True, on_immutable=way, confirm_data_loss="a")
    assert any("payload index" in one for one in words(wanted, there=there)) is kept


def test_a_vector_is_dense_or_sparse_from_its_beginning() -> None:
    there = world("a")
    there = replace(there, live={"a": live("a", vectors={"x": V[""]}, sparse_vectors={"s": {}})})
    for wanted, kind in (
        (Desired("a", sparse_vectors={"x": {}}), "'x' is to be sparse"),
        (Desired("a", vectors={"s": V[""]}), "'s' is to be dense"),
    ):
        with pytest.raises(StackError, match=f"vector {kind}, and there it is the other kind, so nothing was touched"):
            plan([wanted], there)


def warned(*desired: Desired, there: World) -> str:
    return "; ".join(plan(desired, there).warnings)


def test_vectors_that_become_whole_numbers_are_told() -> None:
    small = replace(REBUILD, vectors={"": {**V[""], "datatype": "uint8"}})
    assert "collection a: vectors become uint8, which keeps whole numbers from 0 to 255" in warned(
        small, there=world("a")
    )
    empty = replace(world("a"), live={"a": live("a", points=0)})
    assert "uint8" not in warned(small, there=empty)


def test_a_removal_says_what_it_leaves() -> None:
    there = world("a", others=("a__v2",), aliases={"live": "a__v2"})
    gone = Desired("a", present=False, confirm_data_loss="a")
    assert "a__v2, which a rebuild makes, stays, for alias live serves it; declare aliases: [live] to remove" in warned(
        gone, there=there
    )
    declared = replace(there, live={"a": live("a__v2", metadata={SOURCE_MARK: "a"})}, others={"a": live("a")})
    assert warned(replace(gone, aliases=("live",)), there=declared) == ""


def test_a_copy_that_nobody_reads_any_more_is_called_what_it_is() -> None:
    there = world("a", others=("a__v2",), aliases={"live": "a"})
    copy = live("a__v2", vectors=E, metadata={SOURCE_MARK: "a"}, points=9)
    told = warned(replace(REBUILD, drop_old=True), there=replace(there, others={"a__v2": copy}))
    assert "drop_old leaves a__v2, for no note says that the one in use was copied from that" in told


@pytest.mark.parametrize(
    ("aliases", "points", "reason"),
    [
        ({"x": "c"}, 3, ""),
        ({"x": "c", "y": "c"}, 3, "alias y points to c now"),
        ({}, 3, "alias x does not point to c any more"),
        ({"x": "d"}, 3, "alias x does not point to c any more"),
        ({"x": "c"}, 4, "c holds 4 points now and held 3 before"),
        ({"x": "c"}, None, "c is not there any more"),
        ({"c": "d"}, 3, "c is an alias of d now"),
    ],
)
def test_what_has_moved_on_is_not_deleted(aliases: dict[str, str], points: Optional[int], reason: str) -> None:
    assert guards.moved_on("c", ["x"], 3, aliases, points) == reason


def test_a_deletion_expects_the_aliases_that_are_left_then() -> None:
    actions: list[dict[str, Any]] = [
        {"rename_alias": {"old_alias_name": "m", "new_alias_name": "n"}},
        {"delete_alias": {"alias_name": "x"}},
        {"create_alias": {"collection_name": "d", "alias_name": "x"}},
    ]
    steps = [
        Operation("aliases", "d", "", {"actions": actions}),
        Operation("delete", "c", "", {"points": 0}),
        Operation("delete", "d", "", {"points": 0}),
    ]
    after, sure = guards.followed(world("c", "d", aliases={"m": "c", "x": "c", "y": "c"}), steps)
    assert [step.args.get("aliases") for step in sure] == [None, ["n", "y"], ["x"]]
    assert (after.names, after.aliases) == (frozenset(), {})


def test_points_are_carried_in_requests_that_a_server_takes() -> None:
    points = [{"id": number} for number in range(5)]
    sizes = [3_000_000, 4_000_000, 2_000_000, 20_000_000, 10]
    found = [[point["id"] for point in part] for part in transfer.parts(points, sizes)]
    assert found == [[0, 1], [2], [3], [4]]


@pytest.mark.parametrize(
    "vector",
    [
        [-0.12345678901234567] * 7,
        [[1.2345678901234567e-10] * 3] * 4,
        {"a": [0.1] * 5, "ü": [[-1.5] * 2], "s": {"indices": [4_000_000_000], "values": [-0.1]}},
        {},
        None,
    ],
)
def test_the_size_of_a_point_is_never_too_small(vector: Any) -> None:
    point = {"id": "5f2a7c1e-0000-4000-8000-000000000000", "vector": vector, "payload": {"ü": ["x" * 50, None]}}
    assert transfer.size_of(point) >= len(json.dumps(point).encode())

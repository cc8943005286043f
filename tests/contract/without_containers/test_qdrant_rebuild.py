# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rebuild may delete, what it goes on with, and what it says; on Qdrant's engine in this process."""

from __future__ import annotations

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.client import Client

from tests.support.collections_law import POINTS, REBUILD, SMALL, count, filled, killed, law, run
from tests.support.standin import StandIn


def _foreign(server: StandIn, name: str) -> None:
    server.result("PUT", f"/collections/{name}", {"vectors": {"size": 4, "distance": "Dot"}})
    server.result("PUT", f"/collections/{name}/points?wait=true", {"points": POINTS[:5]})


def _alias(server: StandIn, alias: str, name: str) -> None:
    actions = [{"create_alias": {"collection_name": name, "alias_name": alias}}]
    server.result("POST", "/collections/aliases", {"actions": actions})


def test_a_rebuild_that_drops_the_old_keeps_what_other_people_made(server: StandIn) -> None:
    filled(server, aliases=["live"])
    for name in ("c__v1", "c__v2"):
        _foreign(server, name)
    wanted = {**REBUILD, "drop_old": True}
    predicted = run(server, wanted, check=True)
    assert "drop_old leaves c__v1, c__v2, for no note says that the one in use was copied from that" in str(
        predicted["warnings"]
    )
    law(server, wanted)
    assert list(server.everything()["collections"]) == ["c__v1", "c__v2", "c__v3"]
    assert (count(server, "c__v1"), count(server, "c__v2"), count(server, "c")) == (5, 5, 30)
    assert "c__v1, c__v2" in str(run(server, wanted)["warnings"])


def test_collections_that_others_versioned_are_not_dropped_afterwards(server: StandIn) -> None:
    filled(server)
    for name in ("c__v1", "c__v2"):
        _foreign(server, name)
    _alias(server, "live", "c__v2")
    before = server.everything()
    kept = run(server, {**REBUILD, "drop_old": True})
    assert (kept["changed"], server.everything()) == (False, before)
    assert "drop_old leaves c, c__v1," in str(kept["warnings"])
    # A rebuild of ours then copies theirs, and takes that alone along.
    law(server, {**REBUILD, "vectors": {**SMALL, "distance": "Euclid"}, "drop_old": True})
    assert list(server.everything()["collections"]) == ["c", "c__v1", "c__v3"]
    assert server.everything()["aliases"] == [("live", "c__v3")]
    # Nor does a removal take what nobody asked for.
    law(server, {"name": "c", "aliases": ["live"], "state": "absent", "confirm_data_loss": "c"})
    assert list(server.everything()["collections"]) == ["c__v1"]


def test_all_that_several_rebuilds_left_is_dropped_after_a_snapshot_of_each(server: StandIn) -> None:
    filled(server, aliases=["live"])
    run(server, REBUILD)
    third = {**REBUILD, "vectors": {**SMALL, "distance": "Euclid"}}
    run(server, third)
    assert list(server.everything()["collections"]) == ["c", "c__v2", "c__v3"]
    assert law(server, {**third, "vectors": {**SMALL, "distance": "Manhattan"}, "drop_old": True})[-8:-1] == [
        "wait until c__v4 is ready",
        "move alias live from c__v3 to c__v4; mark c__v4 as filled",
        "snapshot collection c (30 points)",
        "snapshot collection c__v2 (30 points)",
        "delete old collection c (30 points)",
        "delete old collection c__v2 (30 points)",
        "delete old collection c__v3 (30 points)",
    ]
    assert list(server.everything()["collections"]) == ["c__v4"]


def test_the_mark_of_a_rebuild_on_a_foreign_collection_is_an_error(server: StandIn) -> None:
    filled(server, aliases=["live"])
    _foreign(server, "other")
    _alias(server, "c__building_00c0ffee", "other")
    before = server.everything()
    declared = {"name": "c", "vectors": SMALL, "aliases": ["live"], "on_immutable": "rebuild"}
    for wanted in (declared, REBUILD):
        with pytest.raises(
            StackError, match=r"alias c__building_00c0ffee .* points to 'other', so nothing was touched; remove"
        ):
            run(server, wanted)
    assert (server.everything(), server.writes) == (before, [])
    assert run(server, {**declared, "on_immutable": "fail"})["changed"] is False


def test_a_point_that_is_deleted_between_a_kill_and_the_next_run_wedges_no_rebuild(server: StandIn) -> None:
    filled(server, aliases=["live"])
    # Snapshot, collection, mark, and the page of points.
    killed(server, 3, REBUILD)
    assert count(server, "c__v2") == 30
    server.result("POST", "/collections/c/points/delete?wait=true", {"points": [1, 2, 3]})
    assert law(server, REBUILD)[-3:] == [
        "move alias live from c to c__v3; mark c__v3 as finished",
        "snapshot collection c__v2 (30 points)",
        "delete c__v2, left unfinished by an earlier rebuild",
    ]
    assert count(server, "live") == 27
    assert len(list(server.store.snapshots.glob("c__v2/*.snapshot"))) == 1


def test_a_null_within_metadata_is_as_absent(server: StandIn) -> None:
    run(server, {"name": "c", "vectors": SMALL, "metadata": {"a": {"b": 1, "c": 1}}})
    declared = {"name": "c", "vectors": SMALL, "metadata": {"a": {"b": None, "c": 1}, "d": {"e": {"f": None}}}}
    law(server, declared)
    assert server.result("GET", "/collections/c")["config"]["metadata"] == {"a": {"c": 1}, "d": {"e": {}}}
    law(server, {**declared, "name": "fresh"})


def test_an_unnamed_vector_stands_beside_named_ones_also_in_a_rebuild(server: StandIn) -> None:
    declared = {"name": "c", "vectors": {"": SMALL, "n": {"size": 3, "distance": "Cosine"}}, "aliases": ["live"]}
    law(server, declared)
    assert sorted(server.result("GET", "/collections/c")["config"]["params"]["vectors"]) == ["", "n"]
    points = [{"id": n, "vector": {"": [n, 1, 0, 0], "n": [1, n, 0]}} for n in range(1, 8)]
    server.result("PUT", "/collections/c/points?wait=true", {"points": points})
    law(server, {**declared, "vectors": {"n": {"size": 3, "distance": "Dot"}}, "on_immutable": "rebuild"})
    shown = server.result("GET", "/collections/live")
    assert {name: one["distance"] for name, one in shown["config"]["params"]["vectors"].items()} == {
        "": "Cosine",
        "n": "Dot",
    }
    page = server.result("POST", "/collections/live/points/scroll", {"with_vector": True, "limit": 1})
    assert sorted(page["points"][0]["vector"]) == ["", "n"]
    assert count(server, "live") == 7


def test_who_names_the_old_copy_after_a_rebuild_is_told(server: StandIn) -> None:
    filled(server, aliases=["live"])
    assert run(server, {"name": "c", "vectors": SMALL})["warnings"] == []
    run(server, REBUILD)
    told = run(server, {"name": "c", "vectors": SMALL, "hnsw_config": {"m": 9}}, check=True)["warnings"]
    assert "alias live serves c__v2" in told[0] and "declare aliases: [live]" in told[0]
    assert run(server, REBUILD)["warnings"] == []


@pytest.mark.parametrize("backup", [True, False])
def test_a_server_that_is_too_old_for_the_copy_is_asked_first(
    server: StandIn, monkeypatch: pytest.MonkeyPatch, backup: bool
) -> None:
    filled(server, aliases=["live"])
    before = server.everything()
    monkeypatch.setattr(Client, "version", lambda _self: (1, 12))
    wanted = {**REBUILD, "hnsw_config": {"inline_storage": True}, "metadata": {"x": 1}, "backup": backup}
    for check in (True, False):
        with pytest.raises(
            StackError, match=r"too old for c: metadata \(Qdrant 1\.16\), c: hnsw_config\.inline_storage"
        ):
            run(server, wanted, check=check)
    assert (server.everything(), server.writes) == (before, [])


def test_a_rebuild_takes_along_what_a_recreation_had_noted(server: StandIn) -> None:
    filled(server, aliases=["live"], payload_indexes={"kind": "keyword"})
    recreate = {"name": "c", "vectors": {**SMALL, "distance": "Euclid"}, "on_immutable": "recreate"}
    # A snapshot, the note, its index, its alias.
    killed(server, 3, {**recreate, "confirm_data_loss": "c"})
    assert server.everything()["aliases"] == [("live", "c__recreating")]
    law(server, {**REBUILD, "aliases": None, "drop_old": True})
    assert list(server.everything()["collections"]) == ["c__v2"]
    assert server.everything()["aliases"] == [("c", "c__v2"), ("live", "c__v2")]
    assert (count(server, "live"), [*server.result("GET", "/collections/live")["payload_schema"]]) == (30, ["kind"])


def test_a_collection_that_only_has_the_name_of_a_note_is_left_alone(server: StandIn) -> None:
    filled(server, payload_indexes={"kind": "keyword"})
    _foreign(server, "c__recreating")
    before = server.everything()
    assert run(server, {"name": "c", "vectors": SMALL})["changed"] is False
    recreate = {"name": "c", "vectors": {**SMALL, "size": 3}, "on_immutable": "recreate", "confirm_data_loss": "c"}
    with pytest.raises(StackError, match="in c__recreating, which is a collection of somebody else on the server"):
        run(server, recreate)
    assert server.everything() == before
    law(server, {"name": "c", "state": "absent", "confirm_data_loss": "c"})
    assert list(server.everything()["collections"]) == ["c__recreating"]


def test_what_has_the_name_of_a_note_is_told_where_the_collection_is_missing(server: StandIn) -> None:
    _foreign(server, "c__recreating")
    told = run(server, {"name": "c", "vectors": SMALL})
    assert "c__recreating is left alone, for nothing in its metadata says that it is a note" in told["warnings"][0]
    assert count(server, "c__recreating") == 5


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_copy_that_was_begun_for_another_declaration_is_made_anew(server: StandIn, number: int) -> None:
    filled(server, aliases=["live"])
    killed(server, number, REBUILD)
    law(server, {**REBUILD, "hnsw_config": {"m": 40}, "metadata": {"own": 1}})
    shown = server.result("GET", "/collections/live")["config"]
    assert (shown["hnsw_config"]["m"], shown["metadata"]["own"], count(server, "live")) == (40, 1, 30)


def test_a_copy_of_another_source_is_made_anew(server: StandIn) -> None:
    filled(server, aliases=["live"])
    run(server, REBUILD)
    euclid = {**REBUILD, "vectors": {**SMALL, "distance": "Euclid"}}
    killed(server, 2, euclid)
    _alias(server, "live", "c")
    server.result("PUT", "/collections/c__v2/points?wait=true", {"points": [{"id": 99, "vector": [1, 1, 1, 1]}]})
    run(server, {**euclid, "drop_old": True})
    found = server.everything()
    assert found["collections"]["c__v4"]["config"]["metadata"]["planner_memory_rebuilt_from"] == "c"
    # What was never copied stays.
    assert (list(found["collections"]), count(server, "c__v2"), count(server, "live")) == (["c__v2", "c__v4"], 31, 30)

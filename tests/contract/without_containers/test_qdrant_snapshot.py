# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots on Qdrant's engine in this process."""

from __future__ import annotations

import hashlib
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._http import _form
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant import snapshots
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation, reconcile

from tests.support.standin import Killed, StandIn

NONE = {
    option: None
    for option in ("name", "newer_than", "keep", "keep_for", "dest", "src", "location", "checksum", "confirm_data_loss")
}
DEFAULTS = {**NONE, "state": "present", "priority": "snapshot", "snapshots_path": "/qdrant/snapshots"}


@pytest.fixture
def server(server: StandIn) -> StandIn:
    """With a collection of three points."""
    found = server
    found.result("PUT", "/collections/c", {"vectors": {"size": 2, "distance": "Dot"}})
    points = [{"id": number, "vector": [number, 1]} for number in range(3)]
    found.result("PUT", "/collections/c/points?wait=true", {"points": points})
    return found


def run(server: StandIn, check: bool = False, later: int = 0, **params: Any) -> dict[str, Any]:
    wanted = snapshots.wanted_from_params({**DEFAULTS, "collection": "c", **params})
    server.read_only = check
    try:
        resource = snapshots.Snapshots(
            server.client(), wanted, clock=lambda: snapshots.now() + timedelta(seconds=later)
        )
        return reconcile(resource, check_mode=check)
    finally:
        server.read_only = False


def names(server: StandIn) -> list[str]:
    return [row["name"] for row in server.store.list_snapshots("c")]


def count(server: StandIn) -> int:
    return server.result("POST", "/collections/c/points/count", {"exact": True})["count"]


def test_one_is_made_each_time_or_only_when_the_newest_is_old(server: StandIn) -> None:
    predicted = run(server, check=True)
    assert names(server) == []
    made = run(server)
    assert (made["diff"], made["actions"]) == (predicted["diff"], predicted["actions"])
    assert names(server) == [made["created"]]
    assert run(server, newer_than="1h")["changed"] is False
    assert run(server, newer_than="1h", later=3700)["actions"] == ["make a snapshot of c"]
    assert run(server)["changed"] is True
    assert len(names(server)) == 3


def test_pruning_by_number_and_by_age_keeps_the_newest(server: StandIn) -> None:
    for _number in range(4):
        run(server)
    before = names(server)
    predicted = run(server, check=True, keep=2, newer_than="1h")
    assert names(server) == before
    pruned = run(server, keep=2, newer_than="1h")
    assert (pruned["actions"], pruned["diff"]) == (predicted["actions"], predicted["diff"])
    assert names(server) == before[2:]
    assert run(server, keep=2, newer_than="1h")["changed"] is False
    made = run(server, keep=2)
    assert names(server) == [before[3], made["created"]]
    run(server, keep_for="1h", newer_than="1d", later=7200)
    assert names(server) == [made["created"]]


def test_deleting_one_by_its_name(server: StandIn) -> None:
    made = run(server)["created"]
    assert run(server, state="absent", name=made)["actions"] == [f"delete snapshot {made}"]
    assert run(server, state="absent", name=made)["changed"] is False


def test_downloading_and_putting_back(server: StandIn, tmp_path: Path) -> None:
    dest = str(tmp_path / "c.snapshot")
    run(server, check=True, dest=dest)
    assert not Path(dest).exists()
    made = run(server, dest=dest)
    row = server.store.list_snapshots("c")[0]
    assert hashlib.sha256(Path(dest).read_bytes()).hexdigest() == row["checksum"]
    assert made["actions"][1] == f"download the new snapshot of c to {dest}"
    assert run(server, state="listed", dest=dest)["changed"] is False
    Path(dest).write_bytes(b"cut off")
    assert run(server, state="listed", dest=dest)["actions"] == [f"download {row['name']} to {dest}"]

    server.result("POST", "/collections/c/points/delete?wait=true", {"points": [0, 1]})
    with pytest.raises(StackError, match=r"holds 1 points.*set confirm_data_loss: c"):
        run(server, state="restored", src=dest)
    assert count(server) == 1
    run(server, check=True, state="restored", src=dest, confirm_data_loss="c")
    assert count(server) == 1
    run(server, state="restored", src=dest, confirm_data_loss="c")
    assert count(server) == 3

    server.result("DELETE", "/collections/c")
    run(server, state="restored", location=f"file://{dest}", checksum=row["checksum"])
    assert count(server) == 3
    server.result("POST", "/collections/c/points/delete?wait=true", {"points": [0, 1]})
    folder = str(server.store.snapshots)
    run(server, state="restored", name=row["name"], confirm_data_loss="c", snapshots_path=folder)
    assert count(server) == 3


def test_a_collection_that_was_deleted_comes_back_by_the_name_of_its_snapshot(server: StandIn) -> None:
    made = run(server)["created"]
    server.result("DELETE", "/collections/c")
    back = {"state": "restored", "name": made, "snapshots_path": str(server.store.snapshots)}
    assert run(server, **back)["actions"] == [f"restore c (0 points) from {made}"]
    assert count(server) == 3


class KilledAfter(snapshots.Snapshots):
    """Is gone after so many steps."""

    left = 1

    def apply(self, operation: Operation) -> None:
        super().apply(operation)
        self.left -= 1
        if not self.left:
            raise Killed


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_a_backup_that_is_killed_after_any_step_is_completed_by_the_next(
    server: StandIn, tmp_path: Path, steps: int
) -> None:
    for _number in range(3):
        run(server)
    for position, path in enumerate(sorted(server.store.snapshot_folder(server.store.get("c")).glob("*.snapshot"))):
        os.utime(path, (path.stat().st_mtime - 7200 + position,) * 2)
    dest = str(tmp_path / "c.snapshot")
    daily = {**DEFAULTS, "collection": "c", "newer_than": "1h", "keep": 2, "dest": dest}
    killed = KilledAfter(server.client(), snapshots.wanted_from_params(daily))
    killed.left = steps
    with pytest.raises(Killed):
        reconcile(killed, check_mode=False)
    run(server, **daily)
    assert run(server, **daily)["changed"] is False
    rows = server.store.list_snapshots("c")
    assert len(rows) == 2
    assert hashlib.sha256(Path(dest).read_bytes()).hexdigest() == rows[-1]["checksum"]


@pytest.mark.parametrize("source", ["src", "location"])
def test_a_restore_that_is_killed_is_completed_by_the_next(server: StandIn, tmp_path: Path, source: str) -> None:
    dest = str(tmp_path / "c.snapshot")
    run(server, dest=dest)
    server.result("POST", "/collections/c/points/delete?wait=true", {"points": [0, 1]})
    back = {"state": "restored", source: dest if source == "src" else f"file://{dest}", "confirm_data_loss": "c"}
    server.writes, server.kill_at = [], 0
    with pytest.raises(Killed):
        run(server, **back)
    server.kill_at = None
    run(server, **back)
    assert count(server) == 3


def test_what_is_not_there_is_told(server: StandIn, tmp_path: Path) -> None:
    with pytest.raises(StackError, match="collection is 'd', which is not on the server"):
        run(server, collection="d")
    with pytest.raises(StackError, match="name is 'x', which is no snapshot of c"):
        run(server, state="restored", name="x", confirm_data_loss="c")
    with pytest.raises(StackError, match="c has no snapshot yet to download"):
        run(server, state="listed", dest=str(tmp_path / "none"))


def test_a_snapshot_of_little_is_little_and_one_that_is_damaged_is_refused(server: StandIn, tmp_path: Path) -> None:
    dest = str(tmp_path / "c.snapshot")
    run(server, dest=dest)
    row = server.store.list_snapshots("c")[0]
    assert row["size"] < 5_000_000
    back = {"state": "restored", "src": dest, "confirm_data_loss": "c"}
    server.result("POST", "/collections/c/points/delete?wait=true", {"points": [0, 1]})
    with pytest.raises(StackError, match=r"c\.snapshot has the checksum [0-9a-f]{64} and not 00"):
        run(server, **back, checksum="0" * 64)
    status, answer = server.send(
        "POST", f"/collections/c/snapshots/upload?checksum={'0' * 64}", b"".join(_form("b", dest))
    )
    assert (status, "Snapshot checksum mismatch: expected 00" in answer["status"]["error"]) == (400, True)
    whole = Path(dest).read_bytes()
    for content in (b"none", whole[: len(whole) // 2]):
        Path(dest).write_bytes(content)
        with pytest.raises(StackError, match="Snapshot cannot be read"):
            run(server, **back)
    assert count(server) == 1
    Path(dest).write_bytes(whole)
    run(server, **back, checksum=row["checksum"].upper())
    assert count(server) == 3


def test_a_restore_that_leaves_no_collection_is_noticed(server: StandIn, tmp_path: Path) -> None:
    dest = str(tmp_path / "c.snapshot")
    run(server, dest=dest)
    wanted = snapshots.wanted_from_params({**DEFAULTS, "collection": "d", "state": "restored", "src": dest})
    resource = snapshots.Snapshots(server.client(), wanted)
    plan = resource.plan(resource.observe())
    # A server that answers well and does nothing.
    with pytest.raises(StackError, match="d was restored, says the server, but it is not there"):
        resource.settle(plan)


def test_a_request_that_is_longer_than_the_server_takes_is_refused(server: StandIn) -> None:
    points = [{"id": 1, "vector": [1, 1], "payload": {"long": "x" * (33 << 20)}}]
    status, answer = server.send("PUT", "/collections/c/points", {"points": points})
    assert status == 400
    assert "is larger than allowed (limit: 33554432 bytes)" in answer["status"]["error"] or (
        "has exceeded limit (33554432 bytes)" in answer["status"]["error"]
    )

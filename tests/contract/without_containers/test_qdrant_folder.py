# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The embedded mode beside Qdrant's engine in this process."""

from __future__ import annotations

from pathlib import Path

from tests.support.collections_law import EVERYTHING, OTHERWISE, run
from tests.support.run_module import run_module
from tests.support.standin import StandIn


def test_a_folder_gives_the_same_results_as_a_server(server: StandIn, tmp_path: Path) -> None:
    for declared in (EVERYTHING, OTHERWISE, {"state": "absent"}):
        there = run(server, {"name": "c", **declared})
        here = run_module("qdrant_collection", {"path": str(tmp_path / "store"), "name": "c", **declared})
        assert {key: here[key] for key in ("actions", "diff", "collections")} == {
            key: there[key] for key in ("actions", "diff", "collections")
        }

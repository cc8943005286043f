# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What compose_stack says after the engine of this machine refused what was written."""

from __future__ import annotations

import pytest

from tests.contract.test_compose_stack import Bench, bench
from tests.support.run_module import ModuleFailed

__all__ = ["bench"]


@pytest.mark.parametrize("first", [True, False], ids=["first run", "later run"])
def test_what_the_engine_refuses_can_be_taken_back(bench: Bench, first: bool) -> None:
    good, bad = bench.project(body="cpus: 0.5"), bench.project(body="cpus: 1000")
    if not first:
        bench.run(good)
    with pytest.raises(ModuleFailed) as failed:
        bench.run(bad)
    word = "write" if first else "update"
    assert failed.value.result["changed"] is True
    assert failed.value.result["actions_done"] == [f"{bench.name()}: {word} docker-compose.yml"]
    planned = bench.run(good, check=True)["actions"]
    assert planned[0] == f"{bench.name()}: update docker-compose.yml"
    assert bench.run(good)["actions"] == planned
    assert bench.run(good)["changed"] is False

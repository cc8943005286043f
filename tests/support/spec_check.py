# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays that collect checks of the specification, and two probes of a port on which nothing listens."""

from __future__ import annotations

from typing import Any

CHECK = "bestviable.planner_memory.spec_check"
CLOSED = {"tcp": {"host": "127.0.0.1", "port": 1}, "expect": {"open": False}}
OPEN = {"tcp": {"host": "127.0.0.1", "port": 1}, "expect": {"open": True}}


def check(scenario: str, *probes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": scenario, "title": f"Title of {scenario}", "probes": list(probes), **more}


def play(*tasks: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"hosts": "all", "gather_facts": False, **keys, "tasks": list(tasks)}

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.schedule import zone_problem


def timezone_mistake(zone: Any, variable: str) -> str:
    """Why a text names no time zone, as a sentence; empty where it names one, or the controller knows no zones."""
    problem = zone_problem(zone)
    return f"{variable} is '{zone}', {problem}" if problem else ""


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"timezone_mistake": timezone_mistake}

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A three-way merge, line by line: what we wrote last, what we want now, and what stands there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError

SAME, OURS, THEIRS, CONFLICT = "same", "ours", "theirs", "conflict"


@dataclass(frozen=True)
class Conflict:
    """Both texts of one line; None where a side has no such line."""

    service: str
    key: str
    line: int
    base: Optional[str]
    ours: Optional[str]
    theirs: Optional[str]

    def __str__(self) -> str:
        return f"{self.service}, {self.key} (line {self.line}): ours {_told(self.ours)}, theirs {_told(self.theirs)}"


def _told(text: Optional[str]) -> str:
    return "no line" if text is None else f"'{text}'"


def alike(left: Optional[str], right: Optional[str]) -> bool:
    """Code marks and spacing are a person's taste, not another text."""
    return _words(left) == _words(right)


def _words(text: Optional[str]) -> Optional[str]:
    return None if text is None else " ".join(text.replace("`", "").replace("\\|", "|").split())


def decide(base: Optional[str], ours: Optional[str], theirs: Optional[str], *, replace: bool) -> str:
    """Whose line stands.

    A line that nobody recorded is taken over; one that only we or only a person changed is that side's.
    """
    if alike(ours, theirs):
        return SAME
    if replace or base is None or alike(base, theirs):
        return OURS
    return THEIRS if alike(base, ours) else CONFLICT


def refuse(path: str, conflicts: list[Conflict]) -> None:
    """:raises StackError: with both texts of every line on which two sides disagree"""
    if not conflicts:
        return
    found: list[dict[str, Any]] = [vars(conflict) for conflict in conflicts]
    told = "; ".join(str(conflict) for conflict in conflicts)
    raise StackError(
        f"{path} was edited by hand where this task changes it too: {told}; make these lines agree, "
        "or set hand_edits to replace",
        conflicts=found,
    )

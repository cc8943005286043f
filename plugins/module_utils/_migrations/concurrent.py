# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``CREATE INDEX CONCURRENTLY``, however it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.statements import (
    Statement,
    Token,
    name_at,
    tokens,
)


@dataclass(frozen=True)
class ConcurrentIndex:
    """``name`` and ``table`` are as the statement writes them; no name means that the server chooses one.

    ``copied`` is the table without its schema, ``rest`` what stands behind it.
    """

    name: Optional[str]
    table: str
    once: bool
    unique: bool
    copied: str
    rest: str


def concurrent_index(statement: Statement) -> Optional[ConcurrentIndex]:
    """What a statement builds without blocking anybody; None for every other statement."""
    if statement.first_word != "CREATE" or "concurrently" not in statement.text.lower():
        return None
    pieces: list[Token] = []
    for piece in tokens(statement.text):
        pieces.append(piece)
        if len(pieces) == 16:
            break
    words = [piece.text.upper() if piece.kind == "word" else "" for piece in pieces] + [""] * 3
    unique = words[1] == "UNIQUE"
    at = 2 if unique else 1
    if words[at : at + 2] != ["INDEX", "CONCURRENTLY"]:
        return None
    at += 2
    once = words[at : at + 3] == ["IF", "NOT", "EXISTS"]
    at += 3 if once else 0
    name = None
    if words[at] != "ON":
        name = pieces[at].text
        at += 1
    at += 2 if words[at + 1] == "ONLY" else 1
    table = name_at(pieces, at)
    last = pieces[at] if table == pieces[at].text else pieces[at + 2]
    return ConcurrentIndex(name, table, once, unique, last.text, statement.text[last.end :])

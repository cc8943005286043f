# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a file would take for its own because it is there already."""

from __future__ import annotations

import re
from typing import Any, NamedTuple, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.concurrent import concurrent_index
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.drift import unquoted
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.files import Migration
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.statements import (
    Token,
    name_at,
    tokens,
)

_KINDS = frozenset({"TABLE", "INDEX", "VIEW", "SEQUENCE"})
_REPLACED = frozenset({"VIEW", "FUNCTION", "PROCEDURE"})
_CONDITIONS = re.compile(r"\b(?:EXISTS|REPLACE)\b", re.IGNORECASE)
_FOUND = """
SELECT name, false AS replaced FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NOT NULL
UNION ALL
SELECT w.tab || '.' || w.col, false FROM unnest(%s::text[], %s::text[]) AS w (tab, col)
WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = to_regclass(w.tab) AND a.attname = w.col AND NOT a.attisdropped)
UNION ALL
SELECT name, true FROM unnest(%s::text[]) AS name CROSS JOIN LATERAL parse_ident(name) AS parts
WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.oid = to_regclass(name) AND c.relkind = 'v') OR EXISTS (
    SELECT 1 FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE p.proname = parts[cardinality(parts)]
      AND n.nspname = CASE cardinality(parts) WHEN 1 THEN current_schema() ELSE parts[1] END)
"""


class Found(NamedTuple):
    """What is there of what a file would keep as it is, and of what it would replace."""

    kept: tuple[str, ...]
    replaced: tuple[str, ...]


class Things:
    """Names in a file: of things that it makes unless they are there, of columns likewise, and of what it replaces."""

    def __init__(self, migration: Migration) -> None:
        self.relations: list[str] = []
        self.columns: list[tuple[str, str]] = []
        self.replaced: set[str] = set()
        for statement in migration.statements:
            if statement.first_word not in ("CREATE", "ALTER") or not _CONDITIONS.search(statement.text):
                continue
            # An index that is built beside is looked at just before it is built.
            if not concurrent_index(statement):
                self._note(list(tokens(statement.text)))

    def __bool__(self) -> bool:
        return bool(self.relations or self.columns or self.replaced)

    def found(self, session: Any) -> Found:
        tables = [table for table, _column in self.columns]
        columns = [column for _table, column in self.columns]
        rows = session.rows(_FOUND, (self.relations, tables, columns, sorted(self.replaced)))
        return Found(
            tuple(row["name"] for row in rows if not row["replaced"]),
            tuple(row["name"] for row in rows if row["replaced"]),
        )

    def _note(self, pieces: list[Token]) -> None:
        words = [piece.text.upper() for piece in pieces]
        head = words[:10]
        if head[1:3] == ["OR", "REPLACE"]:
            kind = next((at for at, word in enumerate(head) if word in _REPLACED), None)
            if kind is not None:
                self.replaced.add(name_at(pieces, kind + 1))
        elif head[0] == "CREATE" and _KINDS.intersection(head[1:4]):
            once = _once(head)
            if once:
                self.relations.append(name_at(pieces, once))
        elif head[:2] == ["ALTER", "TABLE"]:
            at = next((at for at, word in enumerate(head[2:], 2) if word not in ("IF", "EXISTS", "ONLY")), 2)
            table = name_at(pieces, at)
            for at, word in enumerate(words):
                once = _once(words[at : at + 5]) if word == "ADD" else 0
                if once and at + once < len(pieces):
                    self.columns.append((table, unquoted(pieces[at + once].text)))


def bare(name: str) -> str:
    """The name without its schema, as the catalog has it."""
    return unquoted(name.rsplit(".", 1)[-1])


def _once(words: Sequence[str]) -> int:
    """Where the name after IF NOT EXISTS stands; 0 without these words."""
    for at in range(len(words) - 2):
        if list(words[at : at + 3]) == ["IF", "NOT", "EXISTS"]:
            return at + 3
    return 0

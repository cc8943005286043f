# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a file is tried out in an empty schema: what makes things, and never what touches rows or the real ones."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Any, Iterable, Optional, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.catalog import snapshot
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.drift import quoted, unquoted
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.files import Migration
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.session import (
    LOCK_NOT_AVAILABLE,
    SqlError,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.statements import (
    Statement,
    Token,
    tokens,
)

_BESIDE = frozenset(
    {"OR", "REPLACE", "UNIQUE", "TEMP", "TEMPORARY", "LOCAL", "GLOBAL", "UNLOGGED", "MATERIALIZED", "RECURSIVE"}
)
_KINDS = frozenset(
    {"TABLE", "INDEX", "VIEW", "FUNCTION", "PROCEDURE", "AGGREGATE", "TYPE", "DOMAIN", "SEQUENCE", "TRIGGER"}
    | {"CAST", "OPERATOR", "COLLATION", "ROUTINE"}
)
_BEFORE_NAME = frozenset({"IF", "NOT", "EXISTS", "CONCURRENTLY", "ONLY"})
_MAKES = re.compile(
    r"\b(?:CREATE|ALTER|DROP)\s+(?:(?:OR\s+REPLACE|UNIQUE|UNLOGGED|MATERIALIZED|RECURSIVE)\s+)*"
    r"(?:TABLE|INDEX|VIEW|FUNCTION|PROCEDURE|TYPE|DOMAIN|SEQUENCE|TRIGGER)\b",
    re.IGNORECASE,
)
_TOUCHES = re.compile(
    r"\b(?:EXECUTE|INSERT|UPDATE|DELETE|MERGE|TRUNCATE|COPY|CALL|LOCK|PERFORM|setval|nextval|set_config)\b",
    re.IGNORECASE,
)
_SYSTEM = frozenset({"pg_catalog", "information_schema", "pg_temp"})
_CONCURRENTLY = re.compile(r"\bCONCURRENTLY\b", re.IGNORECASE)
# Other schemas, what the real one holds, and whether extensions keep their types and functions there.
_AROUND = """
SELECT (SELECT array_agg(nspname::text) FROM pg_catalog.pg_namespace) AS schemas,
    coalesce((SELECT array_agg(c.relname::text) FROM pg_catalog.pg_class c
              WHERE c.relnamespace = s.oid AND c.relkind NOT IN ('i', 'I', 'c', 't')), '{}') AS tables,
    coalesce((SELECT array_agg(c.relname::text) FROM pg_catalog.pg_class c
              WHERE c.relnamespace = s.oid AND c.relkind IN ('i', 'I')), '{}') AS indexes,
    EXISTS (SELECT 1 FROM pg_catalog.pg_extension e WHERE e.extnamespace = s.oid) AS extended
FROM pg_catalog.pg_namespace s WHERE s.nspname = %s
"""
_RELATIONS = """
SELECT c.relname::text AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
WHERE s.nspname = %s AND c.relname = ANY (%s)
"""


class NotComparable(StackError):
    """What the files declare cannot be found out."""


@dataclass(frozen=True)
class Replay:
    """A statement as it runs in the scratch schema.

    ``makes`` is the thing it creates, ``named`` every name in it, ``qualified`` those of other schemas.
    """

    text: str
    makes: Optional[str]
    named: frozenset[str]
    qualified: tuple[tuple[str, str], ...]
    alters: bool


class Scratch:
    """An empty schema that stands for the real one, inside a transaction that is rolled back."""

    def __init__(self, session: Any, schema: str) -> None:
        self._session = session
        self._schema = schema
        self.name = f"declared_{secrets.token_hex(6)}"
        self._path = ""
        around = session.rows(_AROUND, (schema,))
        self._schemas = set(around[0]["schemas"]) if around else set()
        self._tables = set(around[0]["tables"]) if around else set()
        self._indexes = set(around[0]["indexes"]) if around else set()
        self._extended = bool(around and around[0]["extended"])

    def create(self, borrowed: Iterable[str]) -> None:
        self._session.execute(f"CREATE SCHEMA {self.name}")
        self._session.execute("SET LOCAL check_function_bodies = off")
        self._see(real=False)
        for table in borrowed:
            self._session.execute(
                f"CREATE TABLE {quoted(table)} (LIKE {quoted(self._schema)}.{quoted(table)}"
                " INCLUDING INDEXES INCLUDING CONSTRAINTS)"
            )

    def run(self, migration: Migration, statement: Statement) -> None:
        one = replay(statement, self._schema)
        if one is None:
            return
        self._check_qualified(one, block=statement.first_word == "DO")
        self._see(real=self._extended and statement.first_word != "DO" and not self._meets_real(one))
        text = one.text if migration.transactional else _CONCURRENTLY.sub("", one.text, count=1)
        self._session.execute(text)

    def found(self) -> dict[str, Any]:
        """What is there now; names are printed as the real schema would print them."""
        self._see(real=self._extended)
        return snapshot(self._session, self.name)

    def _see(self, *, real: bool) -> None:
        path = f"{self.name}, {quoted(self._schema)}" if real else self.name
        if path != self._path:
            self._session.execute(f"SET LOCAL search_path = {path}")
            self._path = path

    def _meets_real(self, one: Replay) -> bool:
        """Whether a name would mean a real thing, if the real schema could be seen."""
        met = (self._tables | self._indexes if one.alters else self._tables) & one.named - {one.makes}
        if not met:
            return False
        here = {row["name"] for row in self._session.rows(_RELATIONS, (self.name, sorted(met)))}
        return bool(met - here)

    def _check_qualified(self, one: Replay, *, block: bool) -> None:
        for schema, name in one.qualified:
            if schema not in self._schemas:
                continue
            if block or one.makes == schema or one.alters or self._session.rows(_RELATIONS, (schema, [name])):
                raise NotComparable(f"it names {schema}.{name}, and only schema {self._schema} can be tried out aside")


def declaration(
    session: Any, schema: str, migrations: Iterable[Migration], borrowed: Sequence[str] = ()
) -> dict[str, Any]:
    """What the files make of an empty schema, found out in a transaction that is rolled back.

    Only what makes things runs there: rows, sequences and the real tables are never touched.

    :param borrowed: tables of the real schema that the files refer to and never create; empty copies stand in
    :raises NotComparable: where it cannot be found out
    """
    scratch = Scratch(session, schema)
    where = "an empty schema beside it cannot be made"
    try:
        with session.transaction(keep=False):
            scratch.create(borrowed)
            for migration in migrations:
                for statement in migration.statements:
                    where = f"{migration.name} line {statement.line}"
                    scratch.run(migration, statement)
            where = "the catalog cannot be read"
            found = scratch.found()
    except NotComparable as error:
        raise NotComparable(f"{where}: {error}") from error
    except SqlError as error:
        if error.code == LOCK_NOT_AVAILABLE:
            raise
        raise NotComparable(f"{where}: {error}") from error
    for table in borrowed:
        found["tables"].pop(table, None)
    return found


def replay(statement: Statement, schema: str) -> Optional[Replay]:
    """How a statement is tried out; None for one that makes nothing that is compared.

    :param schema: the real schema, whose name the text loses, because the scratch schema stands for it
    :raises NotComparable: for a block that cannot be tried out without touching rows
    """
    if statement.first_word == "DO":
        return _block(statement)
    if statement.first_word not in ("CREATE", "ALTER", "DROP"):
        return None
    pieces = list(tokens(statement.text))
    words = [one.text.upper() for one in pieces[:8]]
    place = next((at for at, word in enumerate(words[1:], 1) if word not in _BESIDE), 1)
    if place >= len(words) or words[place] not in _KINDS:
        return None
    pieces, text = _own(pieces, statement.text, schema)
    name = next((one for one in pieces[place + 1 :] if one.text.upper() not in _BEFORE_NAME), None)
    return Replay(
        text=_unfilled(words[place], words, pieces, text),
        makes=_name(name) if name and words[0] == "CREATE" else None,
        named=frozenset(_name(one) for one in pieces if one.kind in ("word", "identifier")),
        qualified=tuple(_qualified(pieces)),
        alters=words[0] != "CREATE",
    )


def _block(statement: Statement) -> Optional[Replay]:
    """A block is opaque: it runs only where it makes things and does nothing else."""
    if not _MAKES.search(statement.text):
        return None
    if _TOUCHES.search(statement.text):
        raise NotComparable("a DO block makes things and does more than that, so it cannot be tried out aside")
    words = re.findall(r"\w+", statement.text)
    qualified = tuple(re.findall(r"\b([A-Za-z_]\w*)\.([A-Za-z_]\w*)", statement.text))
    return Replay(statement.text, None, frozenset(map(str.lower, words)), qualified, True)


def _own(pieces: list[Token], text: str, schema: str) -> tuple[list[Token], str]:
    """The pieces and the text without the name of the real schema in front of other names."""
    kept: list[Token] = []
    parts: list[str] = []
    copied = at = 0
    while at < len(pieces):
        piece = pieces[at]
        prefix = piece.kind in ("word", "identifier") and unquoted(piece.text) == schema
        if prefix and at + 2 < len(pieces) and pieces[at + 1].text == "." and not (kept and kept[-1].text == "."):
            parts.append(text[copied : piece.begin])
            copied = pieces[at + 1].end
            at += 2
            continue
        kept.append(piece)
        at += 1
    return kept, "".join([*parts, text[copied:]])


def _unfilled(kind: str, words: list[str], pieces: list[Token], text: str) -> str:
    """A table made of a query gets its columns and no rows."""
    if words[0] != "CREATE" or not (kind == "TABLE" or "MATERIALIZED" in words[:3]):
        return text
    depth = 0
    for piece in pieces:
        depth += {"(": 1, ")": -1}.get(piece.text, 0)
        if depth == 0 and piece.text.upper() == "AS":
            bare = re.sub(r"\bWITH\s+(?:NO\s+)?DATA\s*\Z", "", text, flags=re.IGNORECASE)
            return f"{bare}\nWITH NO DATA"
    return text


def _name(piece: Token) -> str:
    return unquoted(piece.text)


def _qualified(pieces: list[Token]) -> list[tuple[str, str]]:
    found = []
    for one, dot, other in zip(pieces, pieces[1:], pieces[2:]):
        named = one.kind in ("word", "identifier") and other.kind in ("word", "identifier")
        if dot.text == "." and named and _name(one) not in _SYSTEM:
            found.append((_name(one), _name(other)))
    return found

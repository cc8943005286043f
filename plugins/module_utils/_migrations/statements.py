# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Split SQL text into statements as the server's own grammar sees them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Iterator, NamedTuple, Sequence

_TOKEN = re.compile(
    r"""
    \s*(?:
      (?P<comment>--[^\r\n]*)
    | (?P<block>/\*)
    | (?P<escaped>[eE]'(?:[^'\\]|\\.|'')*'?)
    | (?P<quoted>'(?:[^']|'')*'?)
    | (?P<identifier>"(?:[^"]|"")*"?)
    | (?P<dollar>\$(?:[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_\u0080-\U0010ffff]*)?\$)
    | (?P<word>[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_$\u0080-\U0010ffff]*)
    | (?P<other>\S)
    )
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")
# A table that is made of a query says how many rows it got.
_FILLS = re.compile(r"\A\w+\b.*?\b(?:TABLE\b.*\bAS|MATERIALIZED)\b", re.IGNORECASE | re.DOTALL)
_ROUTINES = {"FUNCTION", "PROCEDURE"}


@dataclass(frozen=True)
class Statement:
    """One statement, without the comments before it; ``line`` and ``start`` are where it begins in its file."""

    text: str
    line: int
    start: int = 0

    @cached_property
    def first_word(self) -> str:
        found = re.match(r"[A-Za-z]+", self.text)
        return found.group(0).upper() if found else ""

    @property
    def makes_no_rows(self) -> bool:
        """Whether it is sure that it makes things, gives no rows and says no number of them."""
        if self.first_word == "CREATE":
            return not _FILLS.search(self.text)
        return self.first_word in ("ALTER", "COMMENT", "DROP", "GRANT", "REVOKE")

    @property
    def summary(self) -> str:
        """The statement on one line, short enough to read in a report."""
        flat = " ".join(self.text.split())
        return flat if len(flat) <= 100 else flat[:99] + "…"


class Token(NamedTuple):
    """A piece of SQL text; ``kind`` is a name of ``_TOKEN``."""

    kind: str
    text: str
    begin: int
    end: int


def tokens(sql: str) -> Iterator[Token]:
    """The pieces of a text without blanks and comments."""
    position = 0
    while found := _TOKEN.match(sql, position):
        kind = str(found.lastgroup)
        begin, position = found.span(kind)
        if kind in _LONGER:
            position = _LONGER[kind](sql, found[kind], position)
        if kind not in ("comment", "block"):
            yield Token(kind, found[kind], begin, position)


def name_at(pieces: Sequence[Token], at: int) -> str:
    """The name that begins at a piece, with its schema where it has one, as it is written."""
    name = [piece.text for piece in pieces[at : at + 3]]
    return "".join(name) if name[1:2] == ["."] else "".join(name[:1])


def split(sql: str) -> Iterator[Statement]:
    """Yield the statements of a text; semicolons in strings, comments, parentheses and function bodies do not count."""
    start, line, counted = -1, 1, 0
    depth = body = 0
    words: list[str] = []
    for token in tokens(sql):
        if token.text == ";" and depth <= 0 and body == 0:
            if start >= 0:
                yield Statement(sql[start : token.begin].rstrip(), line, start)
            start, depth, words = -1, 0, []
            continue
        if start < 0:
            start = token.begin
            line, counted = line + sql.count("\n", counted, start), start
        if token.kind == "word":
            if len(words) < 4 or (words[0] == "CREATE" and not _ROUTINES.isdisjoint(words[1:4])):
                words.append(token.text.upper())
                body = _body_depth(words, body)
        elif token.kind == "other":
            depth += {"(": 1, ")": -1}.get(token.text, 0)
    if start >= 0:
        yield Statement(sql[start:].rstrip(), line, start)


def _end_of_dollar(sql: str, opened: str, position: int) -> int:
    close = sql.find(opened, position)
    return len(sql) if close < 0 else close + len(opened)


def _end_of_block(sql: str, _opened: str, position: int) -> int:
    nested = 1
    while nested:
        edge = _BLOCK_EDGE.search(sql, position)
        if edge is None:
            return len(sql)
        nested += 1 if edge.group() == "/*" else -1
        position = edge.end()
    return position


# Tokens that end where a pattern cannot say.
_LONGER = {"dollar": _end_of_dollar, "block": _end_of_block}


def _body_depth(words: list[str], depth: int) -> int:
    """How deep inside ``BEGIN ATOMIC … END`` of a routine the last word is."""
    if words[0] != "CREATE" or not _ROUTINES.intersection(words[1:4]):
        return 0
    word = words[-1]
    if word == "ATOMIC" and depth == 0:
        return 1 if words[-2] == "BEGIN" else 0
    if depth and word in ("BEGIN", "CASE"):
        return depth + 1
    if depth and word == "END":
        return depth - 1
    return depth

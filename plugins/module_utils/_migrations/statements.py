# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Split SQL text into statements as the server's own grammar sees them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterator, Sequence

_TOKEN = re.compile(
    r"""
      (?P<comment>--[^\r\n]*)
    | (?P<block>/\*)
    | (?P<escaped>[eE]'(?:[^'\\]|\\.|'')*'?)
    | (?P<quoted>'(?:[^']|'')*'?)
    | (?P<identifier>"(?:[^"]|"")*"?)
    | (?P<dollar>\$(?:[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_\u0080-\U0010ffff]*)?\$)
    | (?P<word>[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_$\u0080-\U0010ffff]*)
    | (?P<space>\s+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")
_ROUTINES = {"FUNCTION", "PROCEDURE"}


@dataclass(frozen=True)
class Statement:
    """One statement, without the comments before it; ``line`` and ``start`` are where it begins in its file."""

    text: str
    line: int
    start: int = 0

    @property
    def first_word(self) -> str:
        found = re.match(r"[A-Za-z]+", self.text)
        return found.group(0).upper() if found else ""

    @property
    def summary(self) -> str:
        """The statement on one line, short enough to read in a report."""
        flat = " ".join(self.text.split())
        return flat if len(flat) <= 100 else flat[:99] + "…"


@dataclass(frozen=True)
class Token:
    """A piece of SQL text; ``kind`` is a name of ``_TOKEN``."""

    kind: str
    text: str
    begin: int
    end: int


def tokens(sql: str) -> Iterator[Token]:
    """The pieces of a text without blanks and comments."""
    position = 0
    while found := _TOKEN.match(sql, position):
        begin, position = position, _end_of(sql, found)
        if found.lastgroup not in ("comment", "block", "space"):
            yield Token(str(found.lastgroup), found.group(), begin, position)


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
            words.append(token.text.upper())
            body = _body_depth(words, body)
        elif token.kind == "other":
            depth += {"(": 1, ")": -1}.get(token.text, 0)
    if start >= 0:
        yield Statement(sql[start:].rstrip(), line, start)


def _end_of(sql: str, token: re.Match[str]) -> int:
    if token.lastgroup == "dollar":
        close = sql.find(token.group(), token.end())
        return len(sql) if close < 0 else close + len(token.group())
    if token.lastgroup == "block":
        return _end_of_block(sql, token.end())
    return token.end()


def _end_of_block(sql: str, position: int) -> int:
    nested = 1
    while nested:
        edge = _BLOCK_EDGE.search(sql, position)
        if edge is None:
            return len(sql)
        nested += 1 if edge.group() == "/*" else -1
        position = edge.end()
    return position


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

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service inventory as lines, and what Markdown makes of them: sections, fields and table rows."""

from __future__ import annotations

import re
import traceback
import unicodedata
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Iterable, Optional, Sequence

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError

BOM = "\ufeff"
LINE_END = re.compile(r"(\r\n|\r|\n)")
NUMBERED = re.compile(r"^(\d+)[.)]\s+(.*)$", re.DOTALL)
PARENTHESIS = re.compile(r"\s*\([^()]*\)$")
FIELD = re.compile(
    r"^(?P<head>[ \t]*(?:(?:[-*+]|\d+[.)]|>)[ \t]+)*(?P<bold>\*\*|__)(?P<key>[^*_:]+?)"
    r"(?:(?P=bold)[ \t]*:|:[ \t]*(?P=bold))[ \t]*)(?P<value>.*?)(?P<tail>(?:[ \t]*<!--.*?-->)*(?:[ \t]*|\\))$"
)
# A status without emphasis is a status too; other words before a colon may be anybody's prose.
PLAIN = re.compile(
    r"^(?P<head>[ \t]*(?:(?:[-*+]|\d+[.)]|>)[ \t]+)*(?P<key>status)[ \t]*:[ \t]+)"
    r"(?P<value>.*?)(?P<tail>(?:[ \t]*<!--.*?-->)*(?:[ \t]*|\\))$",
    re.IGNORECASE,
)
# Headers of a table with a key and a value in each row.
PAIRS = {
    ("field", "value"),
    ("key", "value"),
    ("property", "value"),
    ("attribute", "value"),
    ("setting", "value"),
    ("", ""),
}
ITEM = re.compile(r"^[ \t]*[-*+][ \t]+(.*?)[ \t]*$")
KEY_COLUMNS = {"service", "service name", "name", "container", "containers", "container name"}
OTHER_SPELLINGS = {
    "containers": "container",
    "container(s)": "container",
    "network": "networks",
    "network(s)": "networks",
}
NUMBER_COLUMNS = {"", "#", "no", "nr", "n"}


@dataclass(frozen=True)
class Line:
    text: str
    end: str


@dataclass(frozen=True)
class Field:
    """A line ``**Key**: value``; ``last`` is the last line that belongs to its value.

    :param span: where the key stands in ``head``
    :param row: whether it is a row of a table with a key and a value
    """

    line: int
    last: int
    head: str
    key: str
    value: str
    tail: str
    listed: bool = False
    span: tuple[int, int] = (0, 0)
    row: bool = False

    def with_value(self, value: str) -> str:
        gap = "" if self.head[-1] in " \t" else " "
        return f"{self.head}{gap}{self._cell(value)}{self.tail}"

    def sibling(self, key: str, value: str, tail: str) -> str:
        """Another line in the style of this one."""
        start, end = self.span
        head = self.head[:start] + key + self.head[end:]
        gap = "" if head[-1] in " \t" else " "
        return f"{head}{gap}{self._cell(value)}{self.tail if self.row else tail}"

    def _cell(self, value: str) -> str:
        return value.replace("|", "\\|") if self.row else value


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it, up to a heading of its rank or a thematic break."""

    line: int
    body: int
    direct_end: int
    end: int
    level: int
    number: Optional[int]
    title: str
    fields: Sequence[Field] = ()

    def named(self, key: str) -> list[Field]:
        return [found for found in self.fields if found.key == key]

    @property
    def about_a_service(self) -> bool:
        own = [found.key for found in self.fields if found.line < self.direct_end]
        return "container" in own or (bool(own) and self.number is not None)


@dataclass(frozen=True)
class Row:
    """A body row of a table; ``names`` are the texts of the cells that say whom it is about."""

    line: int
    names: Sequence[str]
    columns: Sequence[str]
    cells: Sequence[tuple[int, int]]


@dataclass
class Document:
    lines: list[Line]
    bom: str = ""
    newline: str = "\n"
    sections: list[Section] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    breaks: list[int] = field(default_factory=list)
    paragraph_lines: set[int] = field(default_factory=set)

    def blank(self, line: int) -> bool:
        return not self.lines[line].text.strip()

    def above_blanks(self, line: int) -> int:
        while line and self.blank(line - 1):
            line -= 1
        return line


def comparable(text: str) -> str:
    """The words of a name without case, emphasis, emoji and the like around them."""
    letters = unicodedata.normalize("NFKC", text).casefold().strip()
    kept = [index for index, letter in enumerate(letters) if letter.isalnum() or letter in "()"]
    return " ".join(letters[kept[0] : kept[-1] + 1].split()) if kept else ""


def split_lines(text: str) -> list[Line]:
    parts = LINE_END.split(text)
    lines = [Line(words, end) for words, end in zip(parts[::2], parts[1::2])]
    return [*lines, Line(parts[-1], "")] if parts[-1] else lines


def parse(text: str) -> Document:
    """Read a whole inventory.

    :raises StackError: when this Python has no markdown-it-py
    """
    bom, body = (BOM, text[1:]) if text.startswith(BOM) else ("", text)
    lines = split_lines(body)
    ends = Counter(line.end for line in lines if line.end)
    document = Document(lines, bom, ends.most_common(1)[0][0] if ends else "\n")
    _Reader(document, _markdown()(body)).read()
    return document


def _markdown() -> Callable[[str], list[Any]]:
    try:
        from markdown_it import MarkdownIt
    except ImportError:
        raise StackError(missing_required_lib("markdown-it-py"), exception=traceback.format_exc()) from None
    parser: Callable[[str], list[Any]] = MarkdownIt("commonmark").enable("table").parse
    return parser


def _plain(token: Any) -> str:
    words = [
        child.content if child.type in {"text", "code_inline", "text_special"} else " "
        for child in token.children
        if child.type in {"text", "code_inline", "text_special", "softbreak", "hardbreak"}
    ]
    return "".join(words).strip()


class _Reader:
    def __init__(self, document: Document, tokens: list[Any]) -> None:
        self._document = document
        self._tokens = tokens
        self._fields: dict[int, Field] = {}
        self._walls: set[int] = set()

    def read(self) -> None:
        headings: list[tuple[int, int, int, str]] = []
        for position, token in enumerate(self._tokens):
            if token.type == "heading_open":
                self._walls.update(range(*token.map))
                if token.level == 0:
                    title = _plain(self._tokens[position + 1])
                    headings.append((token.map[0], token.map[1], int(token.tag[1:]), title))
            elif token.type == "hr":
                self._walls.add(token.map[0])
                if token.level == 0:
                    self._document.breaks.append(token.map[0])
            elif token.type in {"fence", "code_block", "html_block", "table_open"}:
                self._walls.update(range(*token.map))
                if token.type == "table_open" and token.level == 0:
                    self._table(position)
            elif token.type == "paragraph_open":
                self._paragraph(self._tokens[position + 1], *token.map)
        self._extend_fields()
        self._sections(headings)

    def _paragraph(self, inline: Any, first: int, last: int) -> None:
        self._document.paragraph_lines.update(range(first, last))
        bold = _bold_lines(inline, first)
        for line in range(first, last):
            match = (FIELD if line in bold else PLAIN).match(self._document.lines[line].text)
            if match:
                key = _key(match["key"])
                span = match.span("key")
                self._fields[line] = Field(line, line, match["head"], key, match["value"], match["tail"], span=span)

    def _extend_fields(self) -> None:
        """A value without words on its own line is the list below it; other lines below stay a person's own."""
        for line, found in self._fields.items():
            if found.row:
                continue
            last = line
            while (
                last + 1 < len(self._document.lines)
                and not self._document.blank(last + 1)
                and last + 1 not in self._walls
                and last + 1 not in self._fields
            ):
                last += 1
            items = [ITEM.match(self._document.lines[below].text) for below in range(line + 1, last + 1)]
            listed = bool(items) and not found.value and all(items)
            value = ", ".join(item[1] for item in items if item) if listed else found.value
            self._fields[line] = replace(found, last=last, value=value, listed=listed)

    def _sections(self, headings: list[tuple[int, int, int, str]]) -> None:
        ends = sorted([*(heading[0] for heading in headings), *self._document.breaks, len(self._document.lines)])
        bare: list[Section] = []
        for index, (line, body, level, title) in enumerate(headings):
            same_rank = [other[0] for other in headings[index + 1 :] if other[2] <= level]
            stops = [*same_rank, *(stop for stop in self._document.breaks if stop >= body), len(self._document.lines)]
            direct_end = next(stop for stop in ends if stop >= body)
            numbered = NUMBERED.match(title)
            name, number = (numbered[2], int(numbered[1])) if numbered else (title, None)
            fields = [self._fields[at] for at in range(body, direct_end) if at in self._fields]
            bare.append(Section(line, body, direct_end, min(stops), level, number, name, fields))
        self._document.sections = [
            Section(**{**vars(section), "fields": [*section.fields, *_adopted(section, bare)]}) for section in bare
        ]

    def _pair(self, line: int, header: bool, cells: list[str]) -> None:
        text = self._document.lines[line].text
        spans = cell_spans(text)
        at = text.find(cells[0], *spans[0]) if len(spans) == 2 and cells and cells[0] else -1
        if at < 0 or (header and _key(cells[0]) not in ("container", "status")):
            return
        cell = text[slice(*spans[1])]
        start = spans[1][0] + len(cell) - len(cell.lstrip())
        value = cell.strip()
        key = _key(cells[0])
        span = (at, at + len(cells[0]))
        self._fields[line] = Field(
            line, line + header, text[:start], key, value, text[start + len(value) :], span=span, row=True
        )

    def _table(self, position: int) -> None:
        token = self._tokens[position]
        rows: list[list[str]] = []
        for inner in self._tokens[position:]:
            if inner.type == "tr_open":
                rows.append([])
            elif inner.type == "inline":
                rows[-1].append(_plain(inner))
            elif inner.type == "table_close":
                break
        columns = [comparable(name) for name in rows[0]]
        if tuple(columns) in PAIRS or (len(columns) == 2 and _key(columns[0]) in ("container", "status")):
            for offset, cells in enumerate(rows):
                # Below the header stands the line that makes it one.
                self._pair(token.map[0] + offset + bool(offset), offset == 0, cells)
            if columns[0] not in KEY_COLUMNS:
                return
        keys = [index for index, name in enumerate(columns) if name in KEY_COLUMNS]
        keys = keys or [index for index, name in enumerate(columns) if name not in NUMBER_COLUMNS][:1]
        for offset, cells in enumerate(rows[1:], start=2):
            line = token.map[0] + offset
            spans = cell_spans(self._document.lines[line].text)
            self._document.rows.append(Row(line, [cells[key] for key in keys if key < len(cells)], columns, spans))


def _key(text: str) -> str:
    key = comparable(text)
    return OTHER_SPELLINGS.get(key, key)


def _adopted(section: Section, others: Iterable[Section]) -> list[Field]:
    """Fields that stand below a mere subheading, such as "Details", belong to the service above it."""
    fields: list[Field] = []
    reached = section.direct_end
    for other in others:
        if reached <= other.line < section.end:
            if other.number is not None or other.named("container"):
                reached = other.end
            else:
                fields += other.fields
    return fields


def _bold_lines(inline: Any, first: int) -> list[int]:
    """The lines of a paragraph that begin with bold text, which comments and code spans only seem to do."""
    source = inline.content
    cursor = 0
    starts_line = True
    found: list[int] = []
    for child in inline.children or []:
        if child.type == "strong_open" and starts_line:
            found.append(first + source.count("\n", 0, cursor))
        if child.type in {"softbreak", "hardbreak"}:
            cursor = source.find("\n", cursor) + 1
        elif child.type == "html_inline":
            cursor = max(source.find(child.content, cursor), cursor) + len(child.content)
        elif child.type == "code_inline":
            opened = source.find(child.markup, cursor) + len(child.markup)
            cursor = source.find(child.markup, opened) + len(child.markup)
        if child.type != "text" or child.content:
            starts_line = child.type in {"softbreak", "hardbreak"}
    return found


def cell_spans(text: str) -> list[tuple[int, int]]:
    """Where the cells of a table row stand, as GFM splits them: at every pipe without a backslash, also inside code."""
    start = len(text) - len(text.lstrip())
    stop = len(text.rstrip())
    pipes = [at for at in range(start, stop) if text[at] == "|" and (at == 0 or text[at - 1] != "\\")]
    edges = [start - 1, *pipes, stop]
    spans = [(left + 1, right) for left, right in zip(edges, edges[1:])]
    if pipes and pipes[0] == start:
        spans = spans[1:]
    if pipes and pipes[-1] == stop - 1:
        spans = spans[:-1]
    return spans

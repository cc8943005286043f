# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Edits of an inventory: a document and wishes in, a text out; lines that are not meant stay byte for byte."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._inventory_doc.find import (
    about,
    must_know,
    rows_about,
    shared,
    the_one,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._inventory_doc.merge import (
    CONFLICT,
    OURS,
    THEIRS,
    Conflict,
    alike,
    decide,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._inventory_doc.parse import (
    Document,
    Field,
    Line,
    Row,
    Section,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._inventory_doc.wanted import KEYS, Service

UPDATED = re.compile(r"^[\W_]*(?:\w+\W+)?last[ \t]+updated(?![^\W_])[\W_]*", re.IGNORECASE)
STAMP = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ]\d{2}:\d{2}(?::\d{2})?(?:[ ]?(?:UTC|Z|[+-]\d{2}:?\d{2}))?)?")
# Lines whose text a person may have set as code; the specification gives the words of Status and Reason.
CODE_KEYS = {"Container", "Image", "Archive", "Location"}


@dataclass
class Outcome:
    """What becomes of a service: ``record`` is what to remember of it, None to forget it."""

    record: Optional[dict[str, Any]]
    words: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)


class Edits:
    """What is to change in a document; line numbers are those of the file as it is."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.new_sections = 0
        self._replaced: dict[int, str] = {}
        self._removed: set[int] = set()
        self._added: dict[int, list[str]] = {}
        self._sections: dict[int, list[str]] = {}

    def text_of(self, line: int) -> str:
        return self._replaced.get(line, self.document.lines[line].text)

    def replace(self, line: int, text: str) -> None:
        self._replaced[line] = text

    def remove(self, lines: Iterable[int]) -> None:
        self._removed.update(lines)

    def add_after(self, line: int, texts: Iterable[str]) -> None:
        """Add lines below a line; -1 is the top of the file."""
        self._added.setdefault(line, []).extend(texts)

    def add_section_after(self, line: int, texts: Iterable[str]) -> None:
        """Add a section below a line, and below what else is added there, which is the section's above."""
        self._sections.setdefault(line, []).extend(texts)

    def _below(self, line: int) -> list[str]:
        return self._added.get(line, []) + self._sections.get(line, [])

    def result(self) -> str:
        before = self.document.lines
        after = [Line(text, "") for text in self._below(-1)]
        for index, line in enumerate(before):
            if index not in self._removed:
                after.append(Line(self.text_of(index), line.end))
            after += [Line(text, line.end) for text in self._below(index)]
        ends = [line.end or self.document.newline for line in after]
        if ends and before and not before[-1].end:
            ends[-1] = ""
        return self.document.bom + "".join(line.text + end for line, end in zip(after, ends))


def apply(edits: Edits, service: Service, record: Optional[Mapping[str, Any]], *, replace: bool, path: str) -> Outcome:
    """Bring everything that an inventory tells of one service to what is asked.

    :raises StackError: when the inventory does not know the service, or more than one section is meant
    """
    document = edits.document
    sections = about(document, service)
    rows = rows_about(document, service)
    work = _Work(edits, service, dict((record or {}).get("fields", {})), replace)
    if service.state == "absent":
        made = bool((record or {}).get("made"))
        for section in sections:
            if not any(other.line < section.line < other.end for other in sections):
                work.remove_section(section, made)
        work.remove_rows(rows)
        return Outcome(None, work.words, work.warnings, work.conflicts)
    if service.state == "deprecated":
        must_know(document, sections, rows, service, path)
        work.warnings += shared(document, service)
    elif len(sections) > 1:
        sections = the_one(sections, service, path)
    for section in sections:
        work.section(section)
    made = bool((record or {}).get("made")) and bool(sections)
    if service.state == "present" and not sections:
        work.base = {}
        work.add_section()
        made = True
    for row in rows:
        work.row(row)
    if not sections and service.state == "deprecated":
        work.warnings.append(f"{service.name} has no section in {path}, only table rows; its reason has no place there")
    kept = work.base if service.state == "deprecated" else {}
    remembered = {"fields": {**kept, **service.fields}, "made": made}
    return Outcome(remembered, work.words, work.warnings, work.conflicts)


@dataclass
class _Work:
    edits: Edits
    service: Service
    base: dict[str, str]
    replace: bool
    words: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)

    def section(self, section: Section) -> None:
        lacking: list[str] = []
        leaving = [key for key in KEYS if key in self.base and self.service.state == "present"]
        for key in dict.fromkeys([*self.service.fields, *leaving]):
            ours = self.service.fields.get(key)
            found = section.named(key.lower())
            verdict = self._verdict(key, ours, [each.value for each in found], (found or [section])[0].line)
            if verdict != OURS:
                continue
            if ours is None:
                self._drop(key, found)
            elif found:
                self._set(key, ours, found)
            else:
                lacking.append(key)
        self._insert(section, lacking)

    def _verdict(self, key: str, ours: Optional[str], values: list[str], line: int) -> str:
        base = self.base.get(key)
        odd = [value for value in values if not alike(value, ours)]
        strange = [value for value in odd if not alike(value, base)]
        theirs = (strange or odd or values or [None])[0]
        verdict = decide(base, ours, theirs, replace=self.replace)
        if verdict == CONFLICT:
            self.conflicts.append(Conflict(self.service.name, key, line + 1, base, ours, theirs))
        elif verdict == THEIRS:
            told = "removed the line" if theirs is None else f"wrote '{theirs}'"
            self.warnings.append(
                f"{self.service.name}, {key} (line {line + 1}): a person {told} where this task has '{ours}'; "
                "that is kept, set hand_edits to replace to undo it"
            )
        return verdict

    def _set(self, key: str, ours: str, found: list[Field]) -> None:
        for each in found:
            if alike(each.value, ours):
                continue
            code = key in CODE_KEYS and re.fullmatch(r"`[^`]+`", each.value)
            self.edits.replace(each.line, each.with_value(f"`{ours}`" if code else ours))
            if each.listed:
                self.edits.remove(range(each.line + 1, each.last + 1))
            self._say(each.line, f"set {key} to '{ours}'")

    def _drop(self, key: str, found: list[Field]) -> None:
        for each in found:
            self.edits.remove(range(each.line, (each.last if each.listed else each.line) + 1))
            self._say(each.line, f"remove {key}")

    def _insert(self, section: Section, lacking: list[str]) -> None:
        if not lacking:
            return
        fields = {key: section.named(key.lower()) for key in KEYS}
        direct = [each for each in section.fields if section.body <= each.line < section.direct_end]
        if not section.fields:
            self._insert_below_heading(section, lacking)
            return
        model = (fields["Status"] or direct or list(section.fields))[0]
        tail = next(filter(None, (hard_break(each.tail) for each in section.fields)), "")
        for key in lacking:
            above = [each for known in KEYS[: KEYS.index(key)] for each in fields[known][:1]]
            value = self.service.fields[key]
            if above:
                anchor = above[-1].last
                self._break(above[-1], tail)
            else:
                anchor = section.fields[0].line - 1
            self.edits.add_after(anchor, [model.sibling(key, value, tail)])
            self._say(anchor, f"add {key} '{value}' below")

    def _break(self, above: Field, tail: str) -> None:
        """Where lines end in hard breaks, the one that was last of its paragraph needs one to stay a line."""
        text = self.edits.text_of(above.line)
        if tail and above.last == above.line and not hard_break(text):
            self.edits.replace(above.line, text + tail)

    def _insert_below_heading(self, section: Section, lacking: list[str]) -> None:
        document = self.edits.document
        lines = [f"**{key}**: {self.service.fields[key]}" for key in lacking]
        followed = section.body < len(document.lines) and not document.blank(section.body)
        self.edits.add_after(section.body - 1, [*lines, ""] if followed else ["", *lines])
        for key in lacking:
            self._say(section.body - 1, f"add {key} '{self.service.fields[key]}' below")

    def row(self, row: Row) -> None:
        ours = self.service.fields.get("Status")
        if ours is None or "status" not in row.columns:
            return
        column = row.columns.index("status")
        text = self.edits.text_of(row.line)
        spans = list(row.cells)
        present = column < len(spans)
        value = text[slice(*spans[column])].strip() if present else ""
        if self._verdict("Status", ours, [value], row.line) != OURS:
            return
        escaped = ours.replace("|", "\\|")
        self.edits.replace(row.line, _with_cell(text, spans[column], escaped) if present else text)
        if not present:
            missing = column - len(spans)
            closed = text.rstrip() if text.rstrip().endswith("|") else text.rstrip() + " |"
            self.edits.replace(row.line, closed + "  |" * missing + f" {escaped} |")
        self._say(row.line, f"set the table's Status to '{ours}'")

    def add_section(self) -> None:
        document = self.edits.document
        known = [section for section in document.sections if section.about_a_service and section.number is not None]
        level = known[-1].level if known else 3
        peers = [section for section in known if section.level == level]
        self.edits.new_sections += 1
        number = max((section.number or 0 for section in peers), default=0) + self.edits.new_sections
        end = peers[-1].end if peers else len(document.lines)
        end = document.above_blanks(end)
        model = peers[-1].fields[0] if peers else None
        lines = [self._line(model, key, value) for key, value in self.service.fields.items()]
        gap = [] if peers and not document.blank(peers[-1].body) else [""]
        heading = f"{'#' * level} {number}. {self.service.name}"
        ruled = any(peers[-2].end <= stop < peers[-1].line for stop in document.breaks) if len(peers) > 1 else False
        top = [""] if end or self.edits.new_sections > 1 else []
        self.edits.add_section_after(
            end - 1, [*top, *(["---", ""] if ruled else []), heading, *(gap if lines else []), *lines]
        )
        self._say(end - 1, f"add section '{number}. {self.service.name}' below")

    def _line(self, model: Optional[Field], key: str, value: str) -> str:
        return model.sibling(key, value, hard_break(model.tail)) if model else f"**{key}**: {value}"

    def remove_section(self, section: Section, made: bool) -> None:
        document = self.edits.document
        for key in self.base:
            found = section.named(key.lower())
            self._verdict(key, None, [each.value for each in found], (found or [section])[0].line)
        written = {found.line for found in section.fields}
        for line in range(section.body, section.end) if made and not self.replace else ():
            if not document.blank(line) and line not in written:
                text = document.lines[line].text
                self.conflicts.append(Conflict(self.service.name, "a line", line + 1, None, None, text))
        self.edits.remove(range(self._first_to_remove(section, made), section.end))
        self._say(section.line, f"remove section '{section.title}'")

    def _first_to_remove(self, section: Section, made: bool) -> int:
        """A rule above goes where another stands below or where we drew it; at the end of a file no blanks stay."""
        document = self.edits.document
        above = document.above_blanks(section.line)
        at_end = section.end == len(document.lines)
        if above - 1 in document.breaks and (made or section.end in document.breaks):
            return document.above_blanks(above - 1) if at_end else above - 1
        return above if at_end else section.line

    def remove_rows(self, rows: list[Row]) -> None:
        for row in rows:
            self.edits.remove([row.line])
            self._say(row.line, f"remove the table's row of {row.names[0]}")

    def _say(self, line: int, words: str) -> None:
        self.words.append(f"{self.service.name}, line {line + 1}: {words}")


def hard_break(text: str) -> str:
    return "\\" if text.endswith("\\") else "  " if text.endswith("  ") else ""


def _with_cell(text: str, span: tuple[int, int], value: str) -> str:
    """Another text in a cell, as wide as it was where it fits."""
    cell = text[slice(*span)]
    lead = cell[: len(cell) - len(cell.lstrip())] if cell.strip() else cell[:1]
    trail = cell[len(cell.rstrip()) :] if cell.strip() else cell[:1]
    right = len(lead) > 1 and len(trail) <= 1 and not lead.strip(" ")
    if right:
        lead = " " * max(1, len(cell) - len(value) - len(trail))
    new = lead + value + trail[:1]
    return text[: span[0]] + (new.ljust(len(cell)) if trail and not right else new) + text[span[1] :]


def refresh(edits: Edits, date: str) -> list[str]:
    """Set the date of "Last updated" lines that are nobody's section; a later date than ours is left."""
    document = edits.document
    services = [section for section in document.sections if section.about_a_service]
    inside = {line for section in services for line in range(section.line, section.end)}
    words: list[str] = []
    for line in sorted(document.paragraph_lines - inside):
        old = document.lines[line].text
        match = UPDATED.match(old)
        stamp = STAMP.search(old, match.end()) if match else None
        if stamp and stamp[1] < date:
            edits.replace(line, old[: stamp.start()] + date + old[stamp.end() :])
            words.append(f"line {line + 1}: set Last updated to {date}")
    return words

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which sections and table rows of an inventory are about a service."""

from __future__ import annotations

import re

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._inventory_doc.parse import (
    PARENTHESIS,
    Document,
    Row,
    Section,
    comparable,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._inventory_doc.wanted import Service

SEPARATORS = re.compile(r"[\s,;+&/`]+")
ITEMS = re.compile(r"[,;+&/`]+")
REMARK = re.compile(r"\([^()]*\)")
# "Archon - RAG server" and "Service 1: Archon" are about Archon too.
DASH = re.compile(r"\s+[-\u2013\u2014]+\s+.*$", re.DOTALL)
KIND = re.compile(r"^\W*(?:service|container|stack|component|app|application)?\s*#?\d*\s*:\s*", re.IGNORECASE)


def about(document: Document, service: Service) -> list[Section]:
    """The sections of a service; prose under the same heading counts only where there is nothing better."""
    names = {comparable(name) for name in (service.name, *service.containers)}
    containers = {comparable(name) for name in service.containers} or {comparable(service.name)}

    def named(section: Section) -> bool:
        title = comparable(section.title)
        plain = KIND.sub("", DASH.sub("", section.title))
        return any(one in names for one in (title, *(comparable(PARENTHESIS.sub("", one)) for one in (title, plain))))

    def holds(section: Section) -> bool:
        parts = [part for value in _containers_of(section) for part in SEPARATORS.split(value)]
        return any(comparable(part) in containers for part in parts)

    def wholly(section: Section) -> bool:
        return service.state != "deprecated" or named(section) or not others_in(section, service)

    sections = [section for section in document.sections if (named(section) or holds(section)) and wholly(section)]
    services = [section for section in sections if section.about_a_service]
    sections = services or [section for section in sections if section.number is not None] or sections
    return [section for section in sections if section.fields or not _any_below(section, sections)]


def _containers_of(section: Section) -> list[str]:
    own = [found for found in section.named("container") if section.body <= found.line < section.direct_end]
    return [REMARK.sub(" ", found.value) for found in own]


def others_in(section: Section, service: Service) -> list[str]:
    """Containers that a section has besides those of a service; empty where it has none of them either."""
    names = {comparable(name) for name in service.containers} or {comparable(service.name)}
    others: list[str] = []
    any_of_ours = False
    for item in (item for value in _containers_of(section) for item in ITEMS.split(value)):
        words = [word for word in item.split() if comparable(word)]
        ours = [word for word in words if comparable(word) in names]
        any_of_ours = any_of_ours or bool(ours)
        # Between ours stand words such as "and", which are no containers.
        others += [word for word in words if word not in ours and (not ours or re.search(r"[-_\d]", word))]
    return others if any_of_ours else []


def shared(document: Document, service: Service) -> list[str]:
    """A sentence for each section that is kept as it is, because others live in it too."""
    meant = {section.line for section in about(document, service)}
    found = [(section, others_in(section, service)) for section in document.sections if section.line not in meant]
    return [
        f"section '{section.title}' (line {section.line + 1}) has {', '.join(others)} too and stays as it is; "
        f"take the containers of {service.name} out of it by hand"
        for section, others in found
        if others
    ]


def _any_below(section: Section, others: list[Section]) -> bool:
    return any(section.line < other.line < section.end for other in others)


def rows_about(document: Document, service: Service) -> list[Row]:
    names = {comparable(name) for name in (service.name, *service.containers)}

    def named(row: Row) -> bool:
        texts = [comparable(name) for name in row.names]
        return any(text in names or comparable(PARENTHESIS.sub("", text)) in names for text in texts)

    return [row for row in document.rows if named(row)]


def must_know(document: Document, sections: list[Section], rows: list[Row], service: Service, path: str) -> None:
    if sections or any("status" in row.columns for row in rows):
        return
    known = [section.title for section in document.sections if section.about_a_service]
    names = ", ".join([service.name, *service.containers])
    raise StackError(
        f"services has '{service.name}', but no section or table row of {path} is about it ({names}); "
        f"give the name or containers of one of its sections: {', '.join(known) or 'none'}",
        sections=known,
    )


def the_one(sections: list[Section], service: Service, path: str) -> list[Section]:
    exact = [section for section in sections if comparable(section.title) == comparable(service.name)]
    if len(exact) == 1:
        return exact
    lines = ", ".join(str(section.line + 1) for section in sections)
    raise StackError(
        f"services has '{service.name}', but {path} has more than one section about it (lines {lines}); "
        "leave one, or give each container its own item"
    )

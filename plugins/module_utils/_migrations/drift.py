# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the live catalog lacks of what the migrations declare: pure, both as ``catalog.snapshot`` gives them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import groupby, zip_longest
from typing import Any, Callable, Iterator, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.statements import tokens

# Casts that the server writes or leaves out for the same rule, whichever of the text types its words had.
_TEXTS = (("text",), ("character", "varying"), ("varchar",))
_OPENING = frozenset("([")
_SERIAL = {"smallint": "smallserial", "integer": "serial", "bigint": "bigserial"}
# Where in the order of repairs a missing column stands.
COLUMN = 1
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True)
class Difference:
    """One thing that is not as declared; ``repair`` is the SQL that adds it, empty where adding is not enough.

    ``apart`` is what adds it in transactions of their own, beside whoever uses the table, where that may take long, and
    ``undo`` what takes the first of them back.
    ``beyond``: it is there and not declared; ``certain``: it contradicts what is declared for certain;
    ``constraint``: the name of the live one that it is about, where there is one.
    """

    words: str
    repair: tuple[str, ...] = ()
    step: int = 0
    beyond: bool = False
    certain: bool = True
    constraint: str = ""
    apart: tuple[str, ...] = ()
    undo: str = ""

    @property
    def way_out(self) -> str:
        return "drop it, or declare it in a file" if self.beyond else "restore it by hand"

    @property
    def anew(self) -> bool:
        """Whether the repair makes a whole table, view or function."""
        return self.words.endswith(" is missing")


def compare(
    declared: Mapping[str, Any],
    live: Mapping[str, Any],
    concerns: Optional[Callable[[str], bool]] = None,
    finally_declared: Optional[Mapping[str, Any]] = None,
) -> tuple[Difference, ...]:
    """Every difference, in an order in which the repairs can run.

    What the live database has beyond the declaration is nobody's business here, unless declared tables refuse rows for
    it that the declaration allows.

    :param concerns: whether a table, view or function of this name is to be looked at (default: all)
    :param finally_declared: what later files add to the declaration, and what is not beyond it therefore
    """
    found: list[Difference] = []
    later = (finally_declared or declared)["tables"]
    for name, table in declared["tables"].items():
        if concerns is None or concerns(name):
            told = list(_table(name, table, live["tables"].get(name)))
            found += told
            if name in live["tables"]:
                known = {one.constraint for one in told}
                rest = _beyond(name, later.get(name, table), live["tables"][name])
                found += [one for one in rest if not one.constraint or one.constraint not in known]
    for kind, step in (("functions", 5), ("views", 6)):
        for name, wanted in declared[kind].items():
            if concerns is None or concerns(name.split("(", 1)[0]):
                found += _text(kind[:-1], name, wanted, live[kind].get(name), step)
    return tuple(sorted(found, key=lambda one: one.step))


def nothing_of(declared: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Whether something is declared, and no table, view or function of it is there, whatever it is like."""
    return any(declared.values()) and not any(set(declared[kind]) & set(live[kind]) for kind in declared)


def _table(name: str, wanted: Mapping[str, Any], seen: Optional[Mapping[str, Any]]) -> Iterator[Difference]:
    special = wanted.get("special") or next((one["special"] for one in wanted["columns"] if one.get("special")), None)
    if seen is None and special:
        yield Difference(f"table {name} ({special}) is missing")
        return
    if seen is None:
        columns = ", ".join(_column(one) for one in wanted["columns"])
        yield Difference(f"table {name} is missing", (f"CREATE TABLE {quoted(name)} ({columns})",), 0)
        seen = {"columns": wanted["columns"], "constraints": [], "indexes": []}
    elif wanted.get("special") != seen.get("special"):
        yield Difference(
            f"table {name} is {seen.get('special') or 'an ordinary one'},"
            f" declared is {wanted.get('special') or 'an ordinary one'}"
        )
    by_name = {column["name"]: column for column in seen["columns"]}
    for column in wanted["columns"]:
        yield from _columns(name, column, by_name.get(column["name"]))
    found = [one for rule in wanted["constraints"] for one in _constraint(name, rule, seen["constraints"])]
    found += [
        one for index in wanted["indexes"] if not index["constraint"] for one in _index(name, index, seen["indexes"])
    ]
    # The server does neither of both ways on a table of partitions.
    yield from [replace(one, apart=()) for one in found] if wanted.get("special") else found


def _beyond(table: str, wanted: Mapping[str, Any], seen: Mapping[str, Any]) -> Iterator[Difference]:
    """What refuses rows that the declaration allows. Rows that meet a rule may be all that there will ever be, so only
    a column that none of them fills and a check of what they hold are certain to be in the way."""
    columns = {one["name"] for one in wanted["columns"]}
    for one in seen["columns"]:
        filled = not one["not_null"] or one["default"] or one.get("special")
        if one["name"] not in columns and not filled:
            yield _undeclared(f"table {table} has column {one['name']} {one['type']} not null without default")
    rules = {plain(one["definition"]) for one in wanted["constraints"]}
    for one in seen["constraints"]:
        known = plain(one["definition"].removesuffix(" NOT VALID")) in rules
        concerned = not one["columns"] or columns.intersection(one["columns"])
        if one["kind"] != "p" and not known and concerned:
            words = f"table {table} has constraint {one['name']} {one['definition']}"
            yield _undeclared(words, certain=one["kind"] == "c", constraint=one["name"])
    unique = {one["definition"] for one in wanted["indexes"] if one["unique"]}
    for one in seen["indexes"]:
        if one["unique"] and one["valid"] and not one["constraint"] and one["definition"] not in unique:
            yield _undeclared(f"table {table} has index {one['name']} unique {one['definition']}", certain=False)


def _undeclared(words: str, *, certain: bool = True, constraint: str = "") -> Difference:
    return Difference(f"{words}, which no file declares and which refuses rows", (), 9, True, certain, constraint)


def _column(column: Mapping[str, Any]) -> str:
    kind, default = column["type"], column["default"]
    if default and _default(default) == "nextval" and kind in _SERIAL:
        kind, default = _SERIAL[kind], None
    not_null = " NOT NULL" if column["not_null"] else ""
    return f"{quoted(column['name'])} {kind}" + (f" DEFAULT {default}" if default else "") + not_null


def _columns(table: str, wanted: Mapping[str, Any], seen: Optional[Mapping[str, Any]]) -> Iterator[Difference]:
    name = wanted["name"]
    alter = f"ALTER TABLE {quoted(table)} ALTER COLUMN {quoted(name)}"
    if seen is None:
        words = f"table {table} lacks column {name} {wanted['type']}"
        if wanted.get("special"):
            yield Difference(f"{words} {wanted['special']}")
            return
        yield Difference(words, (f"ALTER TABLE {quoted(table)} ADD COLUMN {_column(wanted)}",), COLUMN)
        return
    where = f"column {table}.{name}"
    if wanted["type"] != seen["type"]:
        yield Difference(f"{where} is {seen['type']}, declared is {wanted['type']}")
    if wanted.get("special") != seen.get("special"):
        yield Difference(
            f"{where} has {seen.get('special') or _told(seen['default'])},"
            f" declared is {wanted.get('special') or _told(wanted['default'])}"
        )
    elif _default(wanted["default"]) != _default(seen["default"]):
        addable = seen["default"] is None and _default(wanted["default"]) != "nextval"
        yield Difference(
            f"{where} has {_told(seen['default'])}, declared is {_told(wanted['default'])}",
            (f"{alter} SET DEFAULT {wanted['default']}",) if addable else (),
            2,
        )
    if wanted["not_null"] and not seen["not_null"]:
        yield Difference(f"{where} may be null, declared is not null", (f"{alter} SET NOT NULL",), 2)
    if seen["not_null"] and not wanted["not_null"]:
        yield Difference(f"{where} must not be null, declared is that it may")


def _told(default: Optional[str]) -> str:
    return f"default {default}" if default else "no default"


def _default(text: Optional[str]) -> Optional[str]:
    """A default without what depends on how it was written."""
    if text is None:
        return None
    if text.startswith("nextval"):
        return "nextval"
    return plain("now()" if text == "CURRENT_TIMESTAMP" else text)


def plain(text: str) -> str:
    """An expression without what the server writes now so, now so: casts between texts, parentheses around one thing.

    Lists of what something may be are in one order. Literals, casts to other types and parentheses that group stay.
    """
    pieces = _without_casts([piece.text for piece in tokens(text)])
    while (less := _without_parentheses(pieces)) != pieces:
        pieces = less
    return " ".join(_in_order(pieces))


def _in_order(pieces: list[str]) -> list[str]:
    """``ANY`` and ``ALL`` ask a list as a set, and ``IN`` is ``= ANY``; a list with brackets in it stays as it is."""
    ordered: list[str] = []
    at = 0
    while at < len(pieces):
        begin = at + 4
        if pieces[at] in ("ANY", "ALL") and pieces[at + 1 : begin] == ["(", "ARRAY", "["] and "]" in pieces[begin:]:
            end = pieces.index("]", begin)
            values = [" ".join(value) for comma, value in groupby(pieces[begin:end], ",".__eq__) if not comma]
            if not _OPENING.intersection(pieces[begin:end]):
                ordered += [*pieces[at:begin], ", ".join(sorted(set(values)))]
                at = end
        ordered.append(pieces[at])
        at += 1
    return ordered


def _without_casts(pieces: list[str]) -> list[str]:
    kept: list[str] = []
    at = 0
    while at < len(pieces):
        rest = pieces[at : at + 5]
        cast = 0
        for words in _TEXTS:
            if rest[:2] == [":", ":"] and tuple(rest[2 : 2 + len(words)]) == words:
                cast = 2 + len(words)
        if cast and pieces[at + cast : at + cast + 2] == ["[", "]"]:
            cast += 2
        if not cast or pieces[at + cast : at + cast + 1] == ["("]:
            kept.append(pieces[at])
            cast = 1
        at += cast
    return kept


def _without_parentheses(pieces: list[str]) -> list[str]:
    """One pair less: the inner of two that stand directly in each other, or one around one thing."""
    opened: list[int] = []
    closing: dict[int, int] = {}
    for at, piece in enumerate(pieces):
        if piece in _OPENING:
            opened.append(at)
        elif piece in (")", "]") and opened:
            closing[opened.pop()] = at
    for begin, end in closing.items():
        if pieces[begin] != "(":
            continue
        doubled = begin and pieces[begin - 1] == "(" and closing.get(begin - 1) == end + 1
        called = begin and (pieces[begin - 1][-1].isalnum() or pieces[begin - 1][-1] in '_"')
        single = end == begin + 2 or (
            pieces[begin + 1 : begin + 3] == ["ARRAY", "["] and closing.get(begin + 2) == end - 1
        )
        if doubled or (single and not called):
            return [*pieces[:begin], *pieces[begin + 1 : end], *pieces[end + 1 :]]
    return pieces


def same_code(one: str, other: str) -> bool:
    """Whether two definitions differ in blanks between words and in comments at most."""
    if not re.search(r"\bLANGUAGE (?:sql|plpgsql)\b", one):
        return _lines(one) == _lines(other)
    return _code(one) == _code(other)


def _code(text: str) -> list[str]:
    found: list[str] = []
    for piece in tokens(text):
        if piece.kind == "dollar":
            edge = len(piece.text)
            found += ["$", *_code(text[piece.begin + edge : piece.end - edge]), "$"]
        else:
            found.append(piece.text)
    return found


def _constraint(table: str, wanted: Mapping[str, Any], there: list[Mapping[str, Any]]) -> Iterator[Difference]:
    alter = f"ALTER TABLE {quoted(table)}"
    name, rule = wanted["name"], wanted["definition"]
    step = 4 if wanted["kind"] == "f" else 3
    for seen in there:
        if plain(seen["definition"]) == plain(rule):
            return
        if plain(seen["definition"]) == plain(rule) + " NOT VALID":
            validate = f"{alter} VALIDATE CONSTRAINT {quoted(seen['name'])}"
            yield Difference(f"table {table} has constraint {seen['name']} unvalidated: {rule}", (validate,), step)
            return
    for seen in there:
        rival = seen["kind"] == wanted["kind"] and seen["columns"] == wanted["columns"]
        if rival or seen["name"] == name:
            words = f"table {table} has constraint {seen['name']} {seen['definition']}, declared is {rule}"
            yield Difference(words, constraint=seen["name"])
            return
    add = f"{alter} ADD CONSTRAINT {quoted(name)} {rule}"
    checks_rows = wanted["kind"] in ("c", "f") and not rule.endswith(" NOT VALID")
    apart = (f"{add} NOT VALID", f"{alter} VALIDATE CONSTRAINT {quoted(name)}") if checks_rows else ()
    undo = f"{alter} DROP CONSTRAINT {quoted(name)}"
    yield Difference(f"table {table} lacks constraint {name} {rule}", (add,), step, apart=apart, undo=undo)


def _index(table: str, wanted: Mapping[str, Any], there: list[Mapping[str, Any]]) -> Iterator[Difference]:
    name, rule = wanted["name"], wanted["definition"]
    unique = "UNIQUE " if wanted["unique"] else ""
    on = f"{quoted(name)} ON {quoted(table)} USING {rule}"
    create = f"CREATE {unique}INDEX {on}"
    apart = (f"CREATE {unique}INDEX CONCURRENTLY IF NOT EXISTS {on}",)
    for seen in there:
        if seen["valid"] and same_index(wanted, seen):
            return
    for seen in there:
        if seen["name"] == name and not seen["valid"]:
            words = f"index {name} of table {table} was never finished"
            yield Difference(words, (f"DROP INDEX {quoted(name)}", create), 4, apart=apart)
            return
        if seen["name"] == name:
            yield Difference(
                f"index {name} of table {table} is {seen['definition']}, declared is {unique.lower()}{rule}"
            )
            return
    yield Difference(f"table {table} lacks index {name} {rule}", (create,), 4, apart=apart)


def same_index(wanted: Mapping[str, Any], seen: Mapping[str, Any]) -> bool:
    return bool(seen["definition"] == wanted["definition"] and (seen["unique"] or not wanted["unique"]))


def _text(kind: str, name: str, wanted: str, seen: Optional[str], step: int) -> Iterator[Difference]:
    if seen is None:
        yield Difference(f"{kind} {name} is missing", (wanted,), step)
    elif not (same_code(wanted, seen) if kind == "function" else wanted.split() == seen.split()):
        yield Difference(f"{kind} {name} has another definition than declared")


def first_difference(there: str, wanted: str) -> str:
    """Where two texts part, as the end of a sentence."""
    pairs = zip_longest(_lines(there), _lines(wanted), fillvalue="")
    one, other = next(((one, other) for one, other in pairs if one != other), ("", ""))
    return f": '{one[:80]}' is there, '{other[:80]}' is declared"


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def quoted(name: str) -> str:
    """A name as SQL needs it, in quotes only where it has to be."""
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def unquoted(name: str) -> str:
    """The name that a word of SQL means."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()

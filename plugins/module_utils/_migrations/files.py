# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a migration is: its name, its number, its text, and the fingerprint that says whether it was edited."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping, Optional, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.concurrent import concurrent_index
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.statements import Statement, split

VERSIONED = re.compile(r"(?P<version>\d{3,9})_[A-Za-z0-9][A-Za-z0-9_.-]*\.sql")
REPEATABLE = re.compile(r"R__[A-Za-z0-9][A-Za-z0-9_.-]*\.sql")
SOURCE_OPTIONS: dict[str, dict[str, Any]] = {
    "migrations": {
        "type": "list",
        "elements": "dict",
        "options": {"name": {"type": "str", "required": True}, "sql": {"type": "str", "required": True}},
    },
    "directory": {"type": "path"},
    "schema": {"type": "str", "default": "public"},
    "history_table": {"type": "str", "default": "schema_migrations"},
    "settings": {"type": "dict", "default": {}},
}
SOURCE_RULES = {
    "required_one_of": [("migrations", "directory")],
    "mutually_exclusive": [("migrations", "directory")],
}
NO_TRANSACTION = "no-transaction"
WATCH = "watch"
TRANSACTION_WORDS = frozenset({"BEGIN", "COMMIT", "END", "ROLLBACK", "ABORT", "START", "PREPARE"})
_DIRECTIVE = re.compile(r"--[ \t]*migrate:[ \t]*(?P<word>\S+)(?:[ \t]+(?P<rest>.*?))?[ \t]*$", re.MULTILINE)
_FROM_CLIENT = re.compile(r"COPY\b[^;']*\b(?:FROM\s+STDIN|TO\s+STDOUT)\b", re.IGNORECASE)
_SETTING = re.compile(r"[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*")
_WATCHED = re.compile(r"[a-z_][a-z0-9_]*\(\)")


def normalise(text: str) -> str:
    """The text without what editors and version control change on their own: BOM, line ends, trailing blanks."""
    lines = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip("\n") + "\n"


# A row of the history names the algorithm that made its checksum, so that a better one never turns into an edit.
CHECKSUM_VERSION = 1
CHECKSUMS: Mapping[int, Callable[[str], str]] = {1: lambda text: hashlib.sha256(normalise(text).encode()).hexdigest()}


@dataclass(frozen=True)
class Migration:
    """One file ``NNN_name.sql``, or ``R__name.sql`` that runs again whenever it or a setting that it reads changes."""

    name: str
    sql: str
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def repeatable(self) -> bool:
        return self.name.startswith("R__")

    @cached_property
    def version(self) -> Optional[int]:
        return None if self.repeatable else int(self.name.split("_", 1)[0])

    @cached_property
    def place(self) -> tuple[int, int, str]:
        return place_of(self.name)

    @cached_property
    def checksum(self) -> str:
        return self.checksum_by(CHECKSUM_VERSION)

    def checksum_by(self, algorithm: int) -> str:
        read = [f"{name}={value}" for name, value in sorted(self.settings.items()) if name in self.sql]
        return CHECKSUMS[algorithm](self.sql + ("\n" + "\n".join(read) if self.repeatable and read else ""))

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        return tuple(split(self.sql))

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(re.findall(r"\w+", self.sql))

    @cached_property
    def directives(self) -> Mapping[str, str]:
        """What the comments above the first statement ask for, as ``-- migrate: no-transaction``."""
        head = self.sql[: self.statements[0].start] if self.statements else self.sql
        return {found["word"]: found["rest"] or "" for found in _DIRECTIVE.finditer(head.replace("\r", "\n"))}

    @property
    def transactional(self) -> bool:
        return NO_TRANSACTION not in self.directives

    @property
    def watches(self) -> Optional[str]:
        """The function, as ``name()``, that says on every run what of this file is due again."""
        return self.directives.get(WATCH)


def place_of(name: str) -> tuple[int, int, str]:
    """Numbers first and in order, then the repeatable files by name."""
    return (1, 0, name) if name.startswith("R__") else (0, int(name.split("_", 1)[0]), name)


def from_params(params: Mapping[str, Any]) -> tuple[tuple[Migration, ...], dict[str, str]]:
    """The files that ``SOURCE_OPTIONS`` name, in order, and the settings that they read.

    :raises StackError: one sentence about the first thing that cannot be meant
    """
    given = params["migrations"] if params["directory"] is None else read_directory(params["directory"])
    if not given:
        raise StackError("migrations: [] names no file; give those that ran here and those that are to run")
    settings = {name: str(value) for name, value in params["settings"].items()}
    return build(given, checked_settings(settings)), settings


def read_directory(directory: str) -> list[Mapping[str, str]]:
    """Every ``*.sql`` of a directory, at least one, in no particular order."""
    folder = Path(directory)
    if not folder.is_dir():
        raise StackError(f"directory: {directory} is no directory on this host; name one that holds NNN_name.sql files")
    try:
        found = [path for path in folder.iterdir() if path.suffix == ".sql"]
        if not found:
            raise StackError(
                f"directory: {directory} holds no *.sql file on this host; name one that holds NNN_name.sql files"
            )
        return [{"name": path.name, "sql": path.read_text(encoding="utf-8")} for path in found]
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"directory: {directory} cannot be read: {error}") from error


def checked_settings(given: Mapping[str, str]) -> Mapping[str, str]:
    """Settings of one's own have a dot in their name; others belong to the server."""
    for name in given:
        if not _SETTING.fullmatch(name):
            raise StackError(
                f"settings: {name} is no name of a setting of your own; write it with a dot, like app.mode"
            )
    return given


def build(given: Iterable[Mapping[str, str]], settings: Optional[Mapping[str, str]] = None) -> tuple[Migration, ...]:
    """Check what was given and put it in the order in which it runs.

    :raises StackError: on the first name, number or content that cannot be a migration
    """
    migrations = [Migration(one["name"], one["sql"].lstrip("\ufeff"), settings or {}) for one in given]
    for migration in migrations:
        _check_name(migration)
    migrations.sort(key=lambda one: one.place)
    _check_numbers(migrations)
    for migration in migrations:
        _check_content(migration)
        _check_directives(migration)
    return tuple(migrations)


def _check_name(migration: Migration) -> None:
    if not VERSIONED.fullmatch(migration.name) and not REPEATABLE.fullmatch(migration.name):
        raise StackError(
            f"migration {migration.name!r} has no number to order it by; name it like 003_what_it_does.sql"
            " (at least three digits, an underscore, letters, digits, dots, dashes), or R__what_it_is.sql if it is to"
            " run again after each change"
        )


def _check_numbers(migrations: Sequence[Migration]) -> None:
    for one, next_one in zip(migrations, migrations[1:]):
        if one.repeatable and one.name == next_one.name:
            raise StackError(f"migration {one.name} was given twice; leave one of them out")
        if not one.repeatable and one.version == next_one.version:
            raise StackError(
                f"migrations {one.name} and {next_one.name} have the same number {one.version};"
                " give the one that never ran the next free number"
            )


def _check_content(migration: Migration) -> None:
    if "\0" in migration.sql:
        raise StackError(
            f"migration {migration.name} contains a NUL character, which no SQL can; save it as UTF-8 text"
        )
    if not migration.statements:
        raise StackError(f"migration {migration.name} contains no SQL statement; fill it or leave it out")
    for statement in migration.statements:
        where = f"migration {migration.name} line {statement.line} has"
        if statement.first_word in TRANSACTION_WORDS:
            raise StackError(
                f"{where} {statement.first_word}; remove it,"
                " each file already runs in one transaction of its own together with its row in the history"
            )
        if statement.text.startswith("\\"):
            raise StackError(
                f"{where} {statement.text.split()[0]}, a command of psql that the server does not know; write it in SQL"
            )
        if _FROM_CLIENT.match(statement.text):
            raise StackError(f"{where} COPY with rows from or to psql, which is not here; write INSERT, or name a file")
        concurrent = concurrent_index(statement)
        if concurrent and migration.transactional:
            raise StackError(
                f"{where} CREATE INDEX CONCURRENTLY, which no transaction allows;"
                " begin a file of its own for it with the line '-- migrate: no-transaction'"
            )
        if concurrent and concurrent.name is None:
            raise StackError(
                f"{where} CREATE INDEX CONCURRENTLY without a name; give it one,"
                " because after an interruption what is left of it has to be found"
            )
        if concurrent and not concurrent.once:
            raise StackError(
                f"{where} CREATE INDEX CONCURRENTLY without IF NOT EXISTS; add it,"
                " because after an interruption a file without transaction runs again from its first statement"
            )


def _check_directives(migration: Migration) -> None:
    for word, rest in migration.directives.items():
        told = f"migration {migration.name} says '-- migrate: {word}"
        if word not in (NO_TRANSACTION, WATCH):
            raise StackError(f"{told}', which means nothing; write no-transaction, or watch in a repeatable file")
        if word == NO_TRANSACTION and migration.repeatable:
            raise StackError(f"{told}', which a repeatable file cannot have; give it a number")
        if word == WATCH and not (migration.repeatable and _WATCHED.fullmatch(rest)):
            raise StackError(
                f"{told} {rest}', which has to name a function that a repeatable file creates, such as review_due()"
            )

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a migration is: its name, its number, its text, and the fingerprint that says whether it was edited."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Iterable, Mapping, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.statements import Statement, split

NAME = re.compile(r"(?P<version>\d{3,9})_[A-Za-z0-9][A-Za-z0-9_.-]*\.sql")
CHECKSUM_VERSION = 1
TRANSACTION_WORDS = frozenset({"BEGIN", "COMMIT", "END", "ROLLBACK", "ABORT", "START", "PREPARE"})


@dataclass(frozen=True)
class Migration:
    """One file ``NNN_name.sql``."""

    name: str
    sql: str

    @property
    def version(self) -> int:
        return int(self.name.split("_", 1)[0])

    @cached_property
    def checksum(self) -> str:
        return hashlib.sha256(normalise(self.sql).encode()).hexdigest()

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        return tuple(split(self.sql))


def normalise(text: str) -> str:
    """The text without what editors and version control change on their own: BOM, line ends, trailing blanks."""
    lines = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip("\n") + "\n"


def read_directory(directory: str) -> list[Mapping[str, str]]:
    """Every ``*.sql`` of a directory, in no particular order."""
    folder = Path(directory)
    if not folder.is_dir():
        raise StackError(f"directory: {directory} is no directory on this host; name one that holds NNN_name.sql files")
    try:
        return [{"name": path.name, "sql": path.read_text(encoding="utf-8")} for path in folder.glob("*.sql")]
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"directory: {directory} cannot be read: {error}") from error


def build(given: Iterable[Mapping[str, str]]) -> tuple[Migration, ...]:
    """Check what was given and order it by number.

    :raises StackError: on the first name, number or content that cannot be a migration
    """
    migrations = [Migration(one["name"], one["sql"].lstrip("\ufeff")) for one in given]
    for migration in migrations:
        _check_name(migration)
    migrations.sort(key=lambda one: (one.version, one.name))
    _check_numbers(migrations)
    for migration in migrations:
        _check_content(migration)
    return tuple(migrations)


def _check_name(migration: Migration) -> None:
    if not NAME.fullmatch(migration.name):
        raise StackError(
            f"migration {migration.name!r} has no number to order it by; name it like 003_what_it_does.sql"
            " (at least three digits, an underscore, letters, digits, dots, dashes)"
        )


def _check_numbers(migrations: Sequence[Migration]) -> None:
    for one, next_one in zip(migrations, migrations[1:]):
        if one.version == next_one.version:
            raise StackError(
                f"migrations {one.name} and {next_one.name} have the same number {one.version};"
                " give the one that never ran the next free number"
            )


def _check_content(migration: Migration) -> None:
    if not migration.statements:
        raise StackError(f"migration {migration.name} contains no SQL statement; fill it or leave it out")
    for statement in migration.statements:
        if statement.first_word in TRANSACTION_WORDS:
            raise StackError(
                f"migration {migration.name} line {statement.line} has {statement.first_word}; remove it,"
                " each file already runs in one transaction of its own together with its row in the history"
            )

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a project: their text, what is shown of them, and how they are written."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.model import sha
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError

COMPOSE_FILE = "docker-compose.yml"
HIDDEN = "***"
DIFFERS = "*** (differs)"
ENV_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
ENV_ENTRY = re.compile(r"^([A-Za-z_][A-Za-z0-9_.-]*)=('[^']*'|\"(?:\\.|[^\"\\])*\"|[^\n]*)$", re.MULTILINE | re.DOTALL)


def is_secret(mode: str) -> bool:
    """Others may not read it, so nobody shall read it in a diff either."""
    return bool(re.fullmatch("[0-7]+", mode)) and int(mode, 8) & 0o004 == 0


@dataclass(frozen=True)
class File:
    """A file as it shall be; ``env`` is its content as data where it is the env file."""

    path: str
    text: str
    mode: str = "0644"
    env: Optional[Mapping[str, str]] = field(default=None, hash=False)
    owner: Optional[int] = None

    @property
    def secret(self) -> bool:
        return is_secret(self.mode)

    @property
    def sha(self) -> str:
        return sha(self.text)


@dataclass(frozen=True)
class Found:
    """A file as it is."""

    text: str
    mode: str
    owner: Optional[int] = None

    @property
    def sha(self) -> str:
        return sha(self.text)


def env_text(values: Mapping[str, str]) -> str:
    """The text of an env file in which Compose interpolates nothing."""
    return "".join(f"{key}={_quoted(value)}\n" for key, value in sorted(values.items()))


def _quoted(value: str) -> str:
    if "'" not in value and "\\" not in value:
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r") + '"'


def env_values(values: Mapping[str, Any], project: str) -> dict[str, str]:
    """Values as text; a null leaves the variable out."""
    for key in values:
        if not ENV_KEY.fullmatch(str(key)):
            raise StackError(
                f"env of project '{project}' has the name '{key}'; begin with a letter"
                " or '_', and use letters, digits, '_', '.' and '-'"
            )
        if isinstance(values[key], (Mapping, list)):
            kind = "mapping" if isinstance(values[key], Mapping) else "list"
            raise StackError(f"env of project '{project}' has a {kind} in '{key}'; write it as one text")
    return {
        str(key): ("true" if value else "false") if isinstance(value, bool) else str(value)
        for key, value in values.items()
        if value is not None
    }


def shown_as_wanted(file: File) -> dict[str, Any]:
    return shown(file, Found(file.text, file.mode, file.owner))


def shown(wanted: Optional[File], found: Found) -> dict[str, Any]:
    """What a diff tells of a file that is there: everything of a public one, nothing of a secret one."""
    about: dict[str, Any] = {"mode": found.mode}
    if wanted is not None and wanted.owner is not None:
        about["owner"] = found.owner
    if wanted is not None and wanted.env is not None:
        return {**about, **_shown_env(wanted, found)}
    if wanted.secret if wanted is not None else is_secret(found.mode):
        same = wanted is not None and wanted.text == found.text
        return {**about, "text": HIDDEN if same else DIFFERS}
    return {**about, "text": found.text.splitlines()}


def _shown_env(wanted: File, found: Found) -> dict[str, Any]:
    if wanted.text == found.text:
        return {"values": {key: HIDDEN for key in sorted(wanted.env or {})}}
    ours = dict(ENV_ENTRY.findall(wanted.text))
    theirs = dict(ENV_ENTRY.findall(found.text))
    values = {key: HIDDEN if ours.get(key) == theirs[key] else DIFFERS for key in sorted(theirs)}
    return {"values": values, "written": "otherwise"}


def look(path: Path) -> Optional[Found]:
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as handle:
            about = os.fstat(handle.fileno())
            return Found(handle.read(), f"{stat.S_IMODE(about.st_mode):04o}", about.st_uid)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StackError(f"{path} cannot be read: {error.strerror}") from error


def write(path: Path, text: str, mode: str, *, owner: Optional[int] = None, new: bool = False) -> bool:
    """Put a whole file in place, or leave the old one as it was.

    :param owner: number of the user whom it belongs to, else that of the nearest directory above
    :param new: never in the place of another file
    :returns: False where ``new`` found one
    """
    if owner is not None and os.geteuid() not in (0, owner):
        raise StackError(f"{path} is to belong to user {owner}, which root alone can do; run as root (become: true)")
    temporary = ""
    try:
        above = _owner_above(path)
        _make_directories(path.parent, above)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, int(mode, 8))
        _give(temporary, above if owner is None else (owner, above[1]))
        return _link(temporary, path) if new else _replace(temporary, path)
    except OSError as error:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise StackError(f"{path} cannot be written: {error.strerror}") from error


def _replace(temporary: str, path: Path) -> bool:
    os.replace(temporary, path)
    return True


def _link(temporary: str, path: Path) -> bool:
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        os.unlink(temporary)
    return True


def remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StackError(f"{path} cannot be removed: {error.strerror}") from error


def remove_empty_directories(directory: Path, files: list[str]) -> None:
    """Remove the directories that only held our files; anything of somebody else stays."""
    inside = {
        parent for name in files for parent in (directory / name).parents if directory in (parent, *parent.parents)
    }
    for path in sorted({*inside, directory}, key=lambda one: len(one.parts), reverse=True):
        try:
            path.rmdir()
        except OSError:
            continue


def _owner_above(path: Path) -> tuple[int, int]:
    """Files belong to whom the nearest directory above belongs: root works for the services' owner."""
    for parent in path.parents:
        if parent.exists():
            found = parent.stat()
            return found.st_uid, found.st_gid
    return os.geteuid(), os.getegid()


def _make_directories(directory: Path, owner: tuple[int, int]) -> None:
    missing = [one for one in (directory, *directory.parents) if not one.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o755, exist_ok=True)
        _give(str(path), owner)


def _give(path: str, owner: tuple[int, int]) -> None:
    if os.geteuid() == 0:
        os.chown(path, *owner)

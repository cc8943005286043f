# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory as a resource: its file, and the note beside it of what was written last."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Callable, Mapping, Optional, Protocol, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._inventory_doc.edit import Edits, apply, refresh
from ansible_collections.bestviable.planner_memory.plugins.module_utils._inventory_doc.merge import Conflict, refuse
from ansible_collections.bestviable.planner_memory.plugins.module_utils._inventory_doc.parse import parse
from ansible_collections.bestviable.planner_memory.plugins.module_utils._inventory_doc.wanted import Service
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation, Plan

Note = dict[str, dict[str, Any]]


class Writer(Protocol):
    """Puts whole files in place."""

    def write(self, path: Path, text: str, mode: str) -> None: ...


def note_path(path: str) -> str:
    return os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.planner_memory.json")


def read_text(option: str, path: str) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise StackError(f"{option} is {path}, which does not exist; give the inventory's file or make one") from None
    except UnicodeDecodeError as error:
        raise StackError(
            f"{option} is {path}, which is not UTF-8 (byte {error.start}); convert it, for example with iconv"
        ) from None
    except OSError as error:
        raise StackError(f"{option} is {path}, which cannot be read: {error.strerror}") from error


def read_note(path: str) -> Note:
    if not os.path.exists(path):
        return {}
    try:
        note = json.loads(read_text("state_path", path))
        return {
            str(name): {"fields": {str(k): str(v) for k, v in each["fields"].items()}, "made": bool(each["made"])}
            for name, each in note["services"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        raise StackError(
            f"state_path is {path}, which is not a note of this module; remove it, and lines of the inventory "
            "that this task gives are taken over as they stand"
        ) from None


class Inventory:
    """:param replace_file: puts a new text in place of the inventory, keeping its owner and mode
    :param missing: a warning for each service of which there is nothing to tell
    """

    def __init__(
        self,
        path: str,
        state_path: Optional[str],
        services: Sequence[Service],
        *,
        date: str,
        replace: bool,
        writer: Writer,
        replace_file: Callable[[str, str], None],
        backup: Optional[Callable[[str], str]] = None,
        missing: Sequence[str] = (),
    ) -> None:
        self._path = os.path.realpath(path)
        self._note_path = state_path or note_path(self._path)
        self._services = services
        self._date = date
        self._replace = replace
        self._writer = writer
        self._replace_file = replace_file
        self._backup = backup
        self._missing = missing
        self._note: Note = {}
        self._extra: dict[str, Any] = {}

    def observe(self) -> str:
        text = read_text("path", self._path)
        self._note = read_note(self._note_path)
        return text

    def plan(self, current: str) -> Plan:
        edits = Edits(parse(current))
        note = dict(self._note)
        words: list[str] = []
        warnings: list[str] = list(self._missing)
        conflicts: list[Conflict] = []
        for service in self._services:
            outcome = apply(edits, service, note.get(service.name), replace=self._replace, path=self._path)
            words += outcome.words
            warnings += outcome.warnings
            conflicts += outcome.conflicts
            note.pop(service.name, None)
            if outcome.record is not None:
                note[service.name] = outcome.record
        refuse(self._path, conflicts)
        operations: list[Operation] = []
        text = edits.result()
        if text != current:
            words += refresh(edits, self._date)
            text = edits.result()
            args: Mapping[str, Any] = {"before": current, "text": text}
            operations += [Operation("tell", self._path, each) for each in words]
            operations.append(Operation("write", self._path, f"write {self._path}", args))
        if note != self._note:
            operations.append(
                Operation("remember", self._note_path, f"note what was written in {self._note_path}", {"note": note})
            )
        return Plan(current, text, tuple(operations), tuple(warnings))

    def apply(self, operation: Operation) -> None:
        if operation.verb == "write":
            self._write(operation.args["before"], operation.args["text"])
        elif operation.verb == "remember":
            text = json.dumps({"services": operation.args["note"]}, indent=2, sort_keys=True, ensure_ascii=False)
            self._writer.write(Path(self._note_path), text + "\n", "0600")

    def _write(self, before: str, text: str) -> None:
        if read_text("path", self._path) != before:
            raise StackError(f"{self._path} was edited while this task ran; nothing was written, run it again")
        if self._backup:
            self._extra["backup_file"] = self._backup(self._path)
        self._replace_file(self._path, text)

    def result(self, _state: Any) -> dict[str, Any]:
        return self._extra

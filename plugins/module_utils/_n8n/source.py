# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workflow definitions from a directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError


def read_directory(path: str, *, prune: bool = False, prune_everything: bool = False) -> list[dict[str, Any]]:
    """The definitions in the JSON files of a directory, in the order of the files' names.

    :raises StackError: for a directory that is not there or holds no file, for a file that is no export of n8n, and
        where what is missing would be pruned, for a file that holds no definition
    """
    may_be_empty = prune and prune_everything
    directory = Path(path)
    try:
        files = sorted(file for file in directory.iterdir() if file.suffix.lower() == ".json" and file.is_file())
    except OSError as error:
        raise StackError(f"directory: {path} cannot be read: {error.strerror}") from None
    if not files and not may_be_empty:
        raise StackError(f"directory: {path} holds no file whose name ends in .json; correct the path")
    read = {file: _read(file) for file in files}
    empty = next((file for file, items in read.items() if not items), None)
    if empty is not None and len(read) > 1 and prune and not prune_everything:
        raise StackError(
            f"directory: {empty} holds no definition, and prune would put away what it held before; put it back, or "
            "remove the file"
        )
    return [item for items in read.values() for item in items]


def _read(file: Path) -> list[dict[str, Any]]:
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise StackError(
            f"directory: {file} is no JSON: line {error.lineno}, column {error.colno}: {error.msg}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"directory: {file} cannot be read: {error}") from None
    items = content if isinstance(content, list) else [content]
    if not all(isinstance(item, dict) for item in items):
        raise StackError(f"directory: {file} is no workflow, nor a list of them; use what n8n's own export writes")
    return items

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files Valkey would start from, and who wrote them: their first bytes say it. Reads only."""

from __future__ import annotations

import os
import re
from typing import Any, Optional

BASE = re.compile(r"^file (.+) seq \d+ type b\b", re.MULTILINE)
FORMAT = re.compile(rb"REDIS\d{4}|VALKEY\d{3}")


def held(folder: str) -> dict[str, Optional[dict[str, Any]]]:
    """The first file of the append-only log, and the dump, each as its path in the folder and its format."""
    base = BASE.search(_manifest(f"{folder}/appendonlydir"))
    return {
        "appendonly": _file(folder, f"appendonlydir/{base.group(1)}" if base else "appendonly.aof"),
        "dump": _file(folder, "dump.rdb"),
    }


def _manifest(folder: str) -> str:
    try:
        name = next(name for name in sorted(os.listdir(folder)) if name.endswith(".manifest"))
        with open(f"{folder}/{name}", encoding="utf-8", errors="replace") as file:
            return file.read()
    except (OSError, StopIteration):
        return ""


def _file(folder: str, path: str) -> Optional[dict[str, Any]]:
    try:
        with open(f"{folder}/{path}", "rb") as file:
            seen = FORMAT.match(file.read(9))
    except OSError:
        return None
    return {"path": path, "format": seen.group(0).decode() if seen else None}

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inventories as fixtures, in which what no editor shows is written out."""

from __future__ import annotations

from pathlib import Path

WRITTEN_OUT = {"␍": "\r", "⟨BOM⟩": "\ufeff"}


def stored(path: Path) -> bytes:
    """The bytes that the fixture stands for."""
    text = path.read_bytes().decode()
    for sign, meaning in WRITTEN_OUT.items():
        text = text.replace(sign, meaning)
    return text.encode()

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ends of sentences about what n8n does not know."""

from __future__ import annotations

import difflib
from typing import Iterable


def meant(word: str, known: Iterable[str], otherwise: str) -> str:
    """The known word that is nearest, as a question, else another way out."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]}?" if near else otherwise

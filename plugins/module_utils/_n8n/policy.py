# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may be touched of n8n's workflows, and how their state is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional

NAME_ONLY = ("archived", "absent")  # states for which a name says all
LIVE = ("published", "an older version")


@dataclass(frozen=True)
class Policy:
    """What may be touched, and what becomes of the rest."""

    state: str
    owner_tag: Optional[str] = None
    on_existing: str = "refuse"
    prune: bool = False
    prune_to: str = "archived"
    prune_everything: bool = False


def publication(live: Mapping[str, Any]) -> str:
    """Whether a workflow runs, in the words of the diff."""
    if live.get("isArchived"):
        return "archived"
    if not live.get("active"):
        return "unpublished"
    return "published" if live.get("activeVersionId") in (None, live.get("versionId")) else "an older version"


def tags_of(live: Mapping[str, Any]) -> dict[str, str]:
    return {tag["name"]: tag["id"] for tag in live.get("tags") or ()}

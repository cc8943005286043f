# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

from ansible.errors import AnsibleFilterError

LABEL = "io.bestviable.planner_memory.context"
SOURCES = ("registry", "build", "auto")


def _by_name(found: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {tag: image for image in found for tag in image["tags"]}


def _verb_and_reason(
    image: Mapping[str, Any], present: Optional[Mapping[str, Any]], source: str, context_hash: str
) -> tuple[str, str]:
    can_build = bool(image.get("context"))
    if present is None:
        if source == "registry":
            return "pull", "missing"
        if source == "build" or image.get("own"):
            return ("build", "missing") if can_build else ("pull", "missing, and there is no context to build it from")
        return "pull_or_build" if can_build else "pull", "missing"
    label = present["labels"].get(LABEL)
    if source == "registry" or not can_build or label == context_hash:
        return "", ""
    if label:
        return "build", "its build context changed"
    return ("build", "not built here") if source == "build" else ("", "")


def image_work(
    wanted: Any, found: Sequence[Mapping[str, Any]], source: str = "auto", hashes: Optional[Mapping[str, str]] = None
) -> list[dict[str, Any]]:
    """What is to be pulled or built so that the wanted images are there; empty when nothing is."""
    if source not in SOURCES:
        raise AnsibleFilterError(f"image_work: the source is {source!r}; it must be one of {', '.join(SOURCES)}.")
    present = _by_name(found)
    work = []
    for image in wanted:
        context_hash = (hashes or {}).get(image["name"], "")
        verb, reason = _verb_and_reason(image, present.get(image["name"]), source, context_hash)
        if verb:
            work.append({**image, "verb": verb, "reason": reason, "hash": context_hash})
    return work


class FilterModule:
    """Decide what is to be done about images."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"image_work": image_work}

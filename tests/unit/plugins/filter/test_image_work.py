# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any, Optional

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.bestviable.planner_memory.plugins.filter.image_work import LABEL, FilterModule, image_work

NAME = "valkey/valkey:8.1.1"
BUILDABLE = {"name": NAME, "context": "valkey"}
FOREIGN = {"name": NAME}
OWN = {"name": NAME, "context": "valkey", "own": True}
OFFICIAL: dict[str, Any] = {"tags": [NAME], "labels": {}}
BUILT = {"tags": ["other:1", NAME], "labels": {LABEL: "new"}}
STALE = {"tags": [NAME], "labels": {LABEL: "old"}}


@pytest.mark.parametrize(
    ("image", "there", "source", "verb", "reason"),
    [
        (BUILDABLE, None, "registry", "pull", "missing"),
        (BUILDABLE, None, "build", "build", "missing"),
        (BUILDABLE, None, "auto", "pull_or_build", "missing"),
        (FOREIGN, None, "auto", "pull", "missing"),
        (FOREIGN, None, "build", "pull", "missing, and there is no context to build it from"),
        (OWN, None, "auto", "build", "missing"),
        (OWN, None, "registry", "pull", "missing"),
        (BUILDABLE, BUILT, "auto", None, None),
        (BUILDABLE, BUILT, "build", None, None),
        (BUILDABLE, BUILT, "registry", None, None),
        (BUILDABLE, STALE, "auto", "build", "its build context changed"),
        (BUILDABLE, STALE, "build", "build", "its build context changed"),
        (BUILDABLE, STALE, "registry", None, None),
        (BUILDABLE, OFFICIAL, "auto", None, None),
        (BUILDABLE, OFFICIAL, "build", "build", "not built here"),
        (FOREIGN, OFFICIAL, "build", None, None),
    ],
)
def test_what_is_to_be_done(
    image: dict[str, Any], there: Optional[dict[str, Any]], source: str, verb: Optional[str], reason: Optional[str]
) -> None:
    work = image_work([image], [there] if there else [], source, {NAME: "new"})
    assert work == ([{**image, "verb": verb, "reason": reason, "hash": "new"}] if verb else [])


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="the source is 'hub'; it must be one of registry, build, auto"):
        image_work([], [], "hub")


def test_it_is_a_filter() -> None:
    assert FilterModule().filters() == {"image_work": image_work}

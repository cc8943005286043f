# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.bestviable.planner_memory.plugins.filter.timezone_mistake import FilterModule, timezone_mistake


@pytest.mark.parametrize("zone", ["Etc/UTC", "Europe/Berlin", "America/New_York"])
def test_zones(zone: str) -> None:
    assert timezone_mistake(zone, "stack_timezone") == ""


@pytest.mark.parametrize(
    ("zone", "sentence"),
    [
        ("Europe/Berln", "stack_timezone is 'Europe/Berln', which is no time zone; did you mean Europe/Berlin?"),
        ("Mars/Base", "stack_timezone is 'Mars/Base', which is no time zone"),
        ("", "stack_timezone is '', which is no time zone"),
        (3, "stack_timezone is '3', which is no text"),
    ],
)
def test_what_is_no_zone_is_one_sentence(zone: object, sentence: str) -> None:
    assert timezone_mistake(zone, "stack_timezone").startswith(sentence)


def test_the_plugin_offers_the_filter() -> None:
    assert FilterModule().filters() == {"timezone_mistake": timezone_mistake}

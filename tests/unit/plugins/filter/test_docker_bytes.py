from __future__ import annotations

from typing import Any, Optional

import pytest
from ansible_collections.bestviable.planner_memory.plugins.filter.docker_bytes import FilterModule


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("200m", 209715200),
        ("200M", 209715200),
        ("200mb", 209715200),
        ("200MiB", 209715200),
        ("200 m", 209715200),
        (" 64k ", 65536),
        ("1.5g", 1610612736),
        ("2t", 2 * 1024**4),
        ("1024", 1024),
        ("1024b", 1024),
        (1024, 1024),
        (0, 0),
        ("200x", None),
        ("-1m", None),
        ("m", None),
        ("", None),
        ("200bb", None),
        ("1e3", None),
        ("auto", None),
        (None, None),
        (True, None),
        ([], None),
    ],
)
def test_docker_bytes(text: Any, size: Optional[int]) -> None:
    assert FilterModule().filters()["docker_bytes"](text) == size

"""Wait for what has to come, however busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(seen: Callable[[], Any], seconds: float = 120.0) -> Any:
    """What was waited for, or the last that was seen instead."""
    deadline = time.monotonic() + seconds
    while True:
        found = seen()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.2)

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What more than one system here knows of Docker and of the projects that are kept in it."""

from __future__ import annotations

import re
from typing import Any, Optional

# The note that lies in a project's directory as long as the project is kept.
RECORD_FILE = ".compose_stack.json"
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s?([bkmgtp]?)(i?b)?", re.IGNORECASE)
POWERS = {"": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def docker_bytes(value: Any) -> Optional[int]:
    """The bytes that Docker understands by a size such as ``200m``; None when it would refuse it."""
    if isinstance(value, bool) or value is None:
        return None
    seen = SIZE.fullmatch(str(value).strip())
    if not seen or (seen.group(2).lower() == "b" and seen.group(3)):
        return None
    return int(float(seen.group(1)) * 1024 ** POWERS[seen.group(2).lower()])

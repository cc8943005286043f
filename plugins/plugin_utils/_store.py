# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tasks of one run remember for later tasks on the same host, kept on the controller."""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any
from urllib.parse import quote

from ansible import constants as C


class RunStore:
    """A list a host, in the folder that Ansible makes for this run only (mode 0700) and removes at its end.

    Tasks run in forked workers, so memory does not last; facts would show in verbose output and outlive the run
    in a fact cache.
    """

    def __init__(self, name: str, host: str, folder: str = "") -> None:
        base = os.path.join(folder or C.DEFAULT_LOCAL_TMP, "bestviable.planner_memory")
        os.makedirs(base, mode=0o700, exist_ok=True)
        self._path = os.path.join(base, f"{name}-{quote(host, safe='')}.json")

    def read(self) -> list[Any]:
        try:
            with open(self._path, encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return []

    def write(self, items: list[Any]) -> None:
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(self._path))
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(items, file)
        os.replace(temporary, self._path)

    def clear(self) -> None:
        if os.path.exists(self._path):
            os.remove(self._path)

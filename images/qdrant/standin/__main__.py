# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configured as the official server is, by QDRANT__… variables."""

from __future__ import annotations

import os
from pathlib import Path

import uvicorn

from standin.app import StandIn
from standin.store import Store


def main() -> None:
    storage = Path(os.environ.get("QDRANT__STORAGE__STORAGE_PATH", "/qdrant/storage"))
    snapshots = Path(os.environ.get("QDRANT__STORAGE__SNAPSHOTS_PATH", "/qdrant/snapshots"))
    app = StandIn(
        Store(storage, snapshots),
        api_key=os.environ.get("QDRANT__SERVICE__API_KEY", ""),
        read_only_api_key=os.environ.get("QDRANT__SERVICE__READ_ONLY_API_KEY", ""),
    )
    uvicorn.run(
        app,
        host=os.environ.get("QDRANT__SERVICE__HOST", "0.0.0.0"),
        port=int(os.environ.get("QDRANT__SERVICE__HTTP_PORT", "6333")),
        log_level=os.environ.get("QDRANT__LOG_LEVEL", "info").lower(),
        access_log=False,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()

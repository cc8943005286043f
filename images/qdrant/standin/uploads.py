# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots that come as a form: kept on disk, never whole in memory."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, NamedTuple, Optional

from starlette.requests import Request

from standin.errors import bad_request
from standin.store import Store

LONGEST_HEAD = 1 << 16


class Upload(NamedTuple):
    """A form as it came, and what its snapshot must have."""

    file: IO[bytes]
    checksum: Optional[str]


@contextlib.asynccontextmanager
async def spooled(request: Request, folder: Path) -> AsyncIterator[Upload]:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        async for chunk in request.stream():
            file.write(chunk)
        yield Upload(file, request.query_params.get("checksum"))


def recover(store: Store, args: list[str], form: Upload) -> bool:
    store.recover_from(args[0], _only_file(form.file), form.checksum)
    return True


def _only_file(form: IO[bytes]) -> IO[bytes]:
    """The one file of a form: it stands where that begins, and ends where that ends."""
    form.seek(0)
    head = form.read(LONGEST_HEAD)
    boundary, _line, _rest = head.partition(b"\r\n")
    start = head.find(b"\r\n\r\n") + 4
    length = form.seek(0, 2)
    last = max(0, length - len(boundary) - 64)
    form.seek(last)
    end = form.read().rfind(b"\r\n" + boundary)
    if not boundary.startswith(b"--") or start < 4 or end < 0:
        raise bad_request("Content type error: a form with one file is expected")
    form.truncate(last + end)
    form.seek(start)
    return form

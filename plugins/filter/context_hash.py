# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

from ansible.errors import AnsibleFilterError

# What a run of the tests or a build by hand leaves in a context, and no Dockerfile uses.
NOT_SOURCE = {"__pycache__", "extra-ca.crt"}


def context_files(context: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(context):
        folders[:] = sorted(name for name in folders if name not in NOT_SOURCE)
        for name in sorted(files):
            if name not in NOT_SOURCE and not name.endswith(".pyc"):
                yield Path(folder, name)


def context_hash(context: Any, args: Optional[Mapping[str, Any]] = None) -> str:
    """SHA-256 over the names, executable bits and contents of a build context's files, and over its build arguments."""
    path = Path(str(context))
    if not (path / "Dockerfile").is_file():
        raise AnsibleFilterError(
            f"context_hash: the folder {str(context)!r} has no Dockerfile; name a folder of images/ as the context."
        )
    digest = hashlib.sha256()
    for file in context_files(path):
        try:
            content = file.read_bytes()
        except OSError as error:
            raise AnsibleFilterError(
                f"context_hash: {file} cannot be read ({error.strerror}); mend it, or remove it where it is a link"
                " to what is gone."
            ) from error
        mode = "x" if os.access(file, os.X_OK) else "-"
        digest.update(f"{file.relative_to(path).as_posix()}\0{mode}\0{len(content)}\0".encode() + content)
    for name, value in sorted((args or {}).items()):
        digest.update(f"{name}={value}\0".encode())
    return digest.hexdigest()


class FilterModule:
    """Hash of an image's build context."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"context_hash": context_hash}

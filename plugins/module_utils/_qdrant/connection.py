# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a module reaches Qdrant: its options and what they open."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Iterator, Mapping

from ansible.module_utils.basic import env_fallback
from ansible_collections.bestviable.planner_memory.plugins.module_utils._http import TRANSPORT_SPEC, Http
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.client import (
    Client,
    checked_url,
    explain,
)

CONNECTION_SPEC: dict[str, dict[str, Any]] = {
    "url": {"type": "str", "default": "http://127.0.0.1:6333", "fallback": (env_fallback, ["QDRANT_URL"])},
    "api_key": {"type": "str", "no_log": True, "fallback": (env_fallback, ["QDRANT_API_KEY"])},
    **TRANSPORT_SPEC,
    "retries": {"type": "int", "default": 3},
}
PATH_SPEC: dict[str, dict[str, Any]] = {"path": {"type": "path"}}


def connect(params: Mapping[str, Any], *, read_only: bool) -> Client:
    """A server or, where ``path`` is given, a folder."""
    if params.get("path") is not None:
        # The library costs a second or two, so only who wants a folder pays for it.
        from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.sdk import Embedded

        return Embedded(params["path"], read_only=read_only)
    url = checked_url(params["url"])
    key = params["api_key"] or ""
    headers = {"api-key": key} if key else {}
    http = Http.from_params(url, params, headers=headers, read_only=read_only, secrets=[key], explain=explain)
    return Client(http, has_key=bool(key))


@contextmanager
def connections() -> Iterator[Callable[..., Client]]:
    """``connect``, and in the end an end to what it opened: other processes wait for a folder."""
    opened: list[Client] = []

    def remembered(params: Mapping[str, Any], *, read_only: bool) -> Client:
        opened.append(connect(params, read_only=read_only))
        return opened[-1]

    try:
        yield remembered
    finally:
        for client in opened:
            client.close()

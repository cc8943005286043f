# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a module reaches Qdrant: its options and what they open."""

from __future__ import annotations

from typing import Any, Mapping

from ansible.module_utils.basic import env_fallback
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._http import Http
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.client import Client, explain

CONNECTION_SPEC: dict[str, dict[str, Any]] = {
    "url": {"type": "str", "default": "http://127.0.0.1:6333", "fallback": (env_fallback, ["QDRANT_URL"])},
    "api_key": {"type": "str", "no_log": True, "fallback": (env_fallback, ["QDRANT_API_KEY"])},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "timeout": {"type": "float", "default": 30.0},
    "retries": {"type": "int", "default": 3},
}


def connect(params: Mapping[str, Any], *, read_only: bool) -> Client:
    key = params["api_key"] or ""
    if params["timeout"] <= 0:
        raise StackError(f"timeout is {params['timeout']}; it is a number of seconds above 0")
    if params["retries"] < 0:
        raise StackError(f"retries is {params['retries']}; it is 0 or more")
    return Client(
        Http(
            params["url"],
            headers={"api-key": key} if key else {},
            timeout=params["timeout"],
            validate_certs=params["validate_certs"],
            ca_path=params["ca_path"],
            retries=params["retries"],
            read_only=read_only,
            secrets=[key],
            explain=explain,
        ),
        has_key=bool(key),
    )

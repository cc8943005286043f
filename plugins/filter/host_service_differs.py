# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live.services import differs, wanted_of


def host_service_differs(service: Any, seen: Any) -> list[str]:
    """In what a host's service is not the described one, in words; empty where there is nothing to do."""
    if not isinstance(service, Mapping) or not service.get("name"):
        raise AnsibleFilterError("host_service_differs wants what module host_service takes: name, unit and files.")
    if not isinstance(seen, Mapping):
        raise AnsibleFilterError(
            f"host_service_differs wants the services that host_info saw, but got {type(seen).__name__}."
        )
    plain = json.loads(json.dumps(dict(service), default=str))
    try:
        wanted = wanted_of(
            plain["name"], plain.get("unit") or "", plain.get("files") or [], plain.get("state") or "present"
        )
    except StackError as error:
        raise AnsibleFilterError(f"host_service_differs: {error}.") from None
    return differs(wanted, seen.get(wanted.name))


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"host_service_differs": host_service_differs}

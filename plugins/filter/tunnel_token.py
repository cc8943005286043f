# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Any

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def tunnel_token(token: Any) -> dict[str, str]:
    """What a tunnel's token says, and the credentials file that says the same; empty where it is no token.

    Nothing of it is ever part of an error, for it is a secret.
    """
    try:
        said = json.loads(base64.b64decode(str(token or "").strip(), validate=True))
        account, tunnel, secret = (said[key] for key in ("a", "t", "s"))
    except (binascii.Error, ValueError, KeyError, TypeError):
        return {}
    if not (isinstance(account, str) and isinstance(secret, str) and UUID.fullmatch(str(tunnel))):
        return {}
    credentials = {"AccountTag": account, "TunnelSecret": secret, "TunnelID": tunnel}
    return {"account_id": account, "tunnel_id": tunnel, "credentials": json.dumps(credentials)}


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"tunnel_token": tunnel_token}

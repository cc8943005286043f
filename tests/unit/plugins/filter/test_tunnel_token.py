from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.filter.tunnel_token import FilterModule, tunnel_token

TUNNEL = "f70ff985-a4ef-4643-bbbc-4a0ed4fc8415"
SAID = {"a": "account", "t": TUNNEL, "s": "c2VjcmV0"}


def encoded(said: Any) -> str:
    return base64.b64encode(json.dumps(said).encode()).decode()


def test_a_token_says_whose_it_is_and_what_the_credentials_are() -> None:
    found = tunnel_token(encoded(SAID) + "\n")
    assert (found["account_id"], found["tunnel_id"]) == ("account", TUNNEL)
    assert json.loads(found["credentials"]) == {
        "AccountTag": "account",
        "TunnelSecret": "c2VjcmV0",
        "TunnelID": TUNNEL,
    }


@pytest.mark.parametrize(
    "token",
    ["", None, "eyJ", "not base64!", encoded({}), encoded([]), encoded({**SAID, "t": "no-uuid"}), "AAAA"],
)
def test_what_is_no_token_says_nothing(token: Any) -> None:
    assert tunnel_token(token) == {}


def test_the_plugin_offers_the_filter() -> None:
    assert FilterModule().filters() == {"tunnel_token": tunnel_token}

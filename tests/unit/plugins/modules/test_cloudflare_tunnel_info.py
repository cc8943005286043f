# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a tunnel, against Cloudflare's API in this process."""

from __future__ import annotations

import pytest

from tests.support.cloudflare import ACCOUNT, TOKEN, TUNNEL, ZONE, FakeCloudflare, serve
from tests.support.run_module import ModuleFailed, run_module

RULE = {"hostname": "memory.example.org", "service": "http://traefik:80"}
ASKED = {"api_token": TOKEN, "account_id": ACCOUNT, "tunnel_id": TUNNEL}


def test_it_reads_rules_and_cnames_and_writes_nothing() -> None:
    with serve(FakeCloudflare()) as fake:
        fake.edit([RULE, {"service": "http_status:404"}])
        fake.point("memory.example.org")
        result = run_module("cloudflare_tunnel_info", {**ASKED, "api_url": fake.url, "zone_id": ZONE})
        assert fake.writes == []
    assert (result["name"], result["status"], result["source"]) == ("droplet", "healthy", "cloudflare")
    assert (result["version"], result["cnames"]) == (1, ["memory.example.org"])
    assert result["ingress"] == [RULE, {"service": "http_status:404"}]
    assert result["changed"] is False


def test_a_new_tunnel_has_no_rules() -> None:
    with serve(FakeCloudflare()) as fake:
        result = run_module("cloudflare_tunnel_info", {**ASKED, "api_url": fake.url})
    assert (result["ingress"], result["version"]) == ([], 0)
    assert "cnames" not in result


def test_an_unknown_tunnel_is_one_sentence() -> None:
    with serve(FakeCloudflare()) as fake, pytest.raises(ModuleFailed, match="has no tunnel nobody; correct tunnel_id"):
        run_module("cloudflare_tunnel_info", {**ASKED, "api_url": fake.url, "tunnel_id": "nobody"})

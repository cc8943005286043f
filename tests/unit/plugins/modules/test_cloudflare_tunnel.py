# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole module against Cloudflare's API in this process."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cloudflare import ACCOUNT, TOKEN, TUNNEL, ZONE, FakeCloudflare, failure, serve
from tests.support.law import Law
from tests.support.run_module import ModuleFailed, run_module

TRAEFIK = "http://traefik:80"
OURS = [{"hostname": host, "service": TRAEFIK} for host in ("memory.example.org", "planner.example.org")]
END = {"service": "http_status:404"}


@pytest.fixture
def cloudflare() -> Iterator[FakeCloudflare]:
    with serve(FakeCloudflare()) as fake:
        yield fake


def params(cloudflare: FakeCloudflare, **more: Any) -> dict[str, Any]:
    return {
        "api_url": cloudflare.url,
        "api_token": TOKEN,
        "account_id": ACCOUNT,
        "tunnel_id": TUNNEL,
        "rules": OURS,
        **more,
    }


def run(cloudflare: FakeCloudflare, check: bool = False, **more: Any) -> dict[str, Any]:
    return run_module("cloudflare_tunnel", params(cloudflare, **more), check=check)


def refused(cloudflare: FakeCloudflare, **more: Any) -> str:
    with pytest.raises(ModuleFailed) as caught:
        run(cloudflare, **more)
    assert TOKEN not in str(caught.value.result)
    return str(caught.value)


def hosts(cloudflare: FakeCloudflare) -> list[Any]:
    assert cloudflare.config is not None
    return [rule.get("hostname") for rule in cloudflare.config["ingress"]]


def test_the_law(cloudflare: FakeCloudflare) -> None:
    def drift() -> None:
        assert cloudflare.config is not None
        ingress = [dict(rule) for rule in cloudflare.config["ingress"]]
        ingress[1]["originRequest"] = {"noTLSVerify": True}
        cloudflare.edit(ingress)

    Law(
        module="cloudflare_tunnel",
        create=params(cloudflare),
        update=params(cloudflare, rules=[OURS[0] | {"origin_request": {"connectTimeout": 10}}, OURS[1]]),
        drift=drift,
        drift_words="planner.example.org: originRequest.noTLSVerify True -> None",
        delete=params(cloudflare, rules=[{"hostname": rule["hostname"], "state": "absent"} for rule in OURS]),
        independent_read=lambda: (cloudflare.config, len(cloudflare.writes)),
    ).hold()


def test_a_new_tunnel_gets_its_rules_and_a_catch_all(cloudflare: FakeCloudflare) -> None:
    result = run(cloudflare)
    assert cloudflare.config == {"ingress": [*OURS, END]}
    assert (result["version"], result["cname_target"]) == (1, f"{TUNNEL}.cfargotunnel.com")
    assert result["actions"] == [
        f"tunnel {TUNNEL}: add memory.example.org -> {TRAEFIK}, add planner.example.org -> {TRAEFIK},"
        " end with the catch-all http_status:404"
    ]


def test_foreign_rules_and_settings_stay_in_their_order(cloudflare: FakeCloudflare) -> None:
    theirs = [
        {
            "hostname": "ssh.example.org",
            "service": "ssh://10.0.0.4:22",
            "originRequest": {"access": {"required": True}},
        },
        {"hostname": "planner.example.org", "service": "http://old:1", "originRequest": {"noTLSVerify": True}},
        {"hostname": "wiki.example.org", "path": "^/a", "service": "http://wiki:80"},
    ]
    last = {"service": "http_status:503"}
    more = {"originRequest": {"keepAliveTimeout": 30}, "warp-routing": {"enabled": True}}
    cloudflare.edit([*theirs, last], **more)
    run(cloudflare)
    assert cloudflare.config is not None
    assert {key: value for key, value in cloudflare.config.items() if key != "ingress"} == more
    kept = [{**rule, "originRequest": rule.get("originRequest", {})} for rule in theirs]
    assert cloudflare.config["ingress"] == [kept[0], OURS[1], kept[2], OURS[0], last]


def test_a_rule_goes_before_the_wildcard_that_would_hide_it(cloudflare: FakeCloudflare) -> None:
    star = {"hostname": "*.example.org", "service": "http://other:80"}
    cloudflare.edit([{"hostname": "a.example.org", "service": TRAEFIK}, star, OURS[1], END])
    run(cloudflare)
    assert hosts(cloudflare)[0] == "a.example.org"
    assert sorted(hosts(cloudflare)[1:3]) == ["memory.example.org", "planner.example.org"]
    assert hosts(cloudflare)[3:] == ["*.example.org", None]
    assert run(cloudflare)["changed"] is False


def test_a_second_run_reads_twice_and_writes_nothing(cloudflare: FakeCloudflare) -> None:
    run(cloudflare)
    cloudflare.calls.clear()
    result = run(cloudflare)
    path = f"/accounts/{ACCOUNT}/cfd_tunnel/{TUNNEL}"
    assert cloudflare.calls == [f"GET {path}", f"GET {path}/configurations"]
    assert result["changed"] is False and result["diff"]["before"] == result["diff"]["after"]


def test_rules_twice_for_one_host_become_one(cloudflare: FakeCloudflare) -> None:
    cloudflare.edit([OURS[0], {"hostname": "x.example.org", "service": TRAEFIK}, OURS[0], OURS[1], END])
    assert "2 rules -> 1" in run(cloudflare)["actions"][0]
    assert hosts(cloudflare) == ["memory.example.org", "x.example.org", "planner.example.org", None]


def test_paths_of_one_host_keep_the_declared_order(cloudflare: FakeCloudflare) -> None:
    rules = [OURS[0] | {"path": "^/api"}, OURS[0]]
    run(cloudflare, rules=rules)
    assert cloudflare.config == {"ingress": [*rules, END]}


def test_the_catch_all_changes_only_when_named(cloudflare: FakeCloudflare) -> None:
    cloudflare.edit([*OURS, {"service": "hello_world"}])
    assert run(cloudflare)["changed"] is False
    assert "the catch-all hello_world -> http_status:410" in run(cloudflare, catch_all="http_status:410")["actions"][0]


def test_removing_what_is_not_there_writes_nothing(cloudflare: FakeCloudflare) -> None:
    assert run(cloudflare, rules=[{"hostname": "x.example.org", "state": "absent"}])["changed"] is False
    assert cloudflare.writes == []


def test_an_edit_between_reading_and_writing_is_not_replaced(cloudflare: FakeCloudflare) -> None:
    def somebody(_method: str) -> None:
        if len(cloudflare.calls) == 3:
            cloudflare.edit([{"hostname": "new.example.org", "service": TRAEFIK}, END])

    cloudflare.before_call = somebody
    assert "went from version 0 to 1" in refused(cloudflare)
    assert cloudflare.writes == [] and hosts(cloudflare) == ["new.example.org", None]


def test_an_edit_at_the_moment_of_writing_is_told(cloudflare: FakeCloudflare) -> None:
    cloudflare.before_call = lambda method: cloudflare.edit([END]) if method == "PUT" else None
    assert "writing version 1 of the rules" in refused(cloudflare)


def test_an_edit_before_reading_back_is_told(cloudflare: FakeCloudflare) -> None:
    cloudflare.before_call = lambda _method: cloudflare.edit([END]) if len(cloudflare.calls) == 5 else None
    message = refused(cloudflare)
    assert "written as version 1, but are now version 2" in message


def test_a_write_that_the_server_swallows_is_noticed(cloudflare: FakeCloudflare) -> None:
    cloudflare.swallow_writes = True
    assert "the live state is not what was asked" in refused(cloudflare)


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long would have been slept, one number a time."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    return slept


def test_429_is_waited_out(cloudflare: FakeCloudflare, naps: list[float]) -> None:
    cloudflare.refuse = 2
    assert run(cloudflare)["changed"] is True
    assert naps


def busy_once(cloudflare: FakeCloudflare, status: int, *, carried_out: bool, edit: bool = False) -> None:
    """The first write is answered with ``status``, and somebody else may edit before the next."""
    answer, left = cloudflare.answer, [status]

    def first(method: str, url: str, token: str, body: Any) -> Any:
        if method != "PUT" or not left:
            return answer(method, url, token, body)
        said = answer(method, url, token, body) if carried_out else None
        if edit:
            cloudflare.edit([{"hostname": "theirs.example.org", "service": TRAEFIK}, END])
        return left.pop(), {"Retry-After": "0"}, failure(0, "busy") if said is None else {}

    cloudflare.answer = first  # type: ignore[method-assign]


@pytest.mark.parametrize("status", [429, 503])
def test_a_write_that_was_turned_away_is_repeated_only_over_what_was_read(
    cloudflare: FakeCloudflare, naps: list[float], status: int
) -> None:
    busy_once(cloudflare, status, carried_out=False, edit=True)
    words = "nothing was written" if status == 429 else "look at them"
    assert f"went from version 0 to 1 while this ran: somebody else edits them; {words}" in refused(cloudflare)
    assert hosts(cloudflare) == ["theirs.example.org", None] and naps

    busy_once(cloudflare, status, carried_out=False)
    assert run(cloudflare)["version"] == 2
    assert hosts(cloudflare)[0] == "theirs.example.org"


def test_a_write_whose_answer_was_lost_is_not_written_twice(cloudflare: FakeCloudflare, naps: list[float]) -> None:
    busy_once(cloudflare, 502, carried_out=True)
    done = run(cloudflare)
    assert (done["changed"], done["version"], cloudflare.version) == (True, 1, 1)


def test_an_edit_after_a_write_whose_answer_was_lost_is_told(cloudflare: FakeCloudflare, naps: list[float]) -> None:
    busy_once(cloudflare, 502, carried_out=True, edit=True)
    assert "went from version 0 to 2 while this ran" in refused(cloudflare)
    assert hosts(cloudflare) == ["theirs.example.org", None]


def test_a_write_that_is_never_taken_fails_with_the_servers_words(
    cloudflare: FakeCloudflare, naps: list[float]
) -> None:
    answer = cloudflare.answer
    cloudflare.answer = lambda method, *more: (  # type: ignore[method-assign]
        (503, {}, failure(0, "busy")) if method == "PUT" else answer(method, *more)
    )
    assert "answered 503: busy (code 0)" in refused(cloudflare)
    assert naps == [1, 2, 4] and cloudflare.version == 0


def test_cnames_are_read_through_all_pages(cloudflare: FakeCloudflare) -> None:
    cloudflare.point(*(f"h{number}.example.org" for number in range(7)), "memory.example.org", "old.example.org")
    cloudflare.point("planner.example.org", proxied=False)
    result = run(cloudflare, zone_id=ZONE, rules=[*OURS, {"hostname": "old.example.org", "state": "absent"}])
    assert (result["cnames_missing"], result["cnames_left"]) == (["planner.example.org"], ["old.example.org"])
    assert "memory.example.org" in result["cnames"] and "planner.example.org" not in result["cnames"]
    assert result["status"] == "healthy"
    assert sum("dns_records" in call for call in cloudflare.calls) == 2 + 1, "two pages, and what the missing one is"


def test_a_record_that_leaves_no_room_for_a_cname_is_named(cloudflare: FakeCloudflare) -> None:
    mine = {"id": "a", "type": "A", "name": "planner.example.org", "content": "192.0.2.1", "proxied": True}
    text = {**mine, "id": "t", "type": "TXT", "name": "memory.example.org"}
    cloudflare.records += [mine, text]
    result = run(cloudflare, check=True, zone_id=ZONE)
    assert result["cnames_missing"] == ["memory.example.org", "planner.example.org"]
    assert result["cnames_blocked"] == {"planner.example.org": "A 192.0.2.1"}
    assert cloudflare.writes == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"tunnel_id": "nobody"}, f"account {ACCOUNT} has no tunnel nobody; correct tunnel_id"),
        ({"api_token": "wrong"}, "api_token is not a valid token"),
        ({"zone_id": "nowhere"}, "zone_id nowhere is unknown"),
        ({"rules": [OURS[0], OURS[0]]}, "memory.example.org is declared twice"),
        ({"rules": [OURS[0], {"hostname": "memory.example.org", "state": "absent"}]}, "both present and absent"),
        ({"rules": [{"hostname": "", "service": TRAEFIK}]}, "'' is not a host name"),
        ({"rules": [{"hostname": "Memory.example.org", "service": TRAEFIK}]}, "in small letters"),
        ({"rules": [{"hostname": "a.example.org"}]}, "which leads nowhere"),
        ({"catch_all": "traefik"}, "catch_all is 'traefik'"),
        ({"api_token": ""}, "api_token is empty"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(
    cloudflare: FakeCloudflare, more: dict[str, Any], words: str
) -> None:
    message = refused(cloudflare, **more)
    assert words in message and "\n" not in message
    assert cloudflare.writes == []


@pytest.mark.parametrize(
    ("lacks", "words"),
    [
        ("tunnel:read", f"api_token lacks the permission Account, Cloudflare Tunnel, Read for account {ACCOUNT}"),
        ("tunnel:edit", f"api_token lacks the permission Account, Cloudflare Tunnel, Edit for account {ACCOUNT}"),
        ("dns:read", f"api_token lacks the permission Zone, DNS, Read for zone {ZONE}"),
    ],
)
def test_the_permission_that_a_token_lacks_is_named(cloudflare: FakeCloudflare, lacks: str, words: str) -> None:
    cloudflare.may.discard(lacks)
    assert words in refused(cloudflare, zone_id=ZONE)
    if lacks.startswith("tunnel"):
        assert cloudflare.config is None


def test_dns_is_asked_before_anything_is_written(cloudflare: FakeCloudflare) -> None:
    cloudflare.may.discard("dns:read")
    refused(cloudflare, zone_id=ZONE)
    assert cloudflare.writes == [] and cloudflare.config is None


def test_a_tunnel_with_a_local_file_is_left_alone(cloudflare: FakeCloudflare) -> None:
    cloudflare.tunnel["config_src"] = "local"
    assert "takes its rules from a file" in refused(cloudflare)
    assert cloudflare.writes == []


def test_a_deleted_tunnel_is_told(cloudflare: FakeCloudflare) -> None:
    cloudflare.tunnel["deleted_at"] = "2026-01-01T00:00:00Z"
    assert "was deleted at 2026-01-01" in refused(cloudflare)


def test_an_api_that_is_down_is_told(naps: list[float]) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        nobody = FakeCloudflare()
        nobody.url = f"http://127.0.0.1:{holder.getsockname()[1]}"
        message = refused(nobody)
    assert "got no answer" in message and "Connection refused" in message
    assert naps, "once is not enough to know"

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role cloudflared against Cloudflare's API in this process: what it refuses, writes, and asks to be proved."""

from __future__ import annotations

import base64
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Optional

import pytest

from tests.support.cloudflare import ACCOUNT, TOKEN, TUNNEL, ZONE, FakeCloudflare, serve
from tests.support.playbook import ROOT, Run, run_playbook

TRAEFIK = "http://traefik:80"
HOSTS = ["memory.example.org", "planner.example.org"]
PUBLIC = [
    {"name": "memory-gateway", "host": HOSTS[0], "port": 8090},
    {"name": "planner-engine", "host": HOSTS[1], "port": 8091},
]
END = {"service": "http_status:404"}
REMOTE = {
    "cloudflared_rules": "remote",
    "cloudflared_account_id": ACCOUNT,
    "cloudflared_tunnel_id": TUNNEL,
    "cloudflared_zone": "example.org",
    "cloudflared_zone_id": ZONE,
    "cloudflared_public_services": PUBLIC,
    "stack_secrets": {"cloudflare_api_token": TOKEN},
    "stack_host": {"root": True, "python_lacks": [], "engine": {}},
}
SSH = {"hostname": "ssh.example.org", "service": "ssh://10.0.0.4:22"}
SEEN = "{{ inventory_hostname }} saw {{ {'checks': cloudflared_checks} | to_json }}"
USER = {"root": False, "python_lacks": []}
OTHER = "00000000-0000-0000-0000-000000000000"


def token(tunnel: str = TUNNEL) -> str:
    return base64.b64encode(json.dumps({"a": ACCOUNT, "t": tunnel, "s": "Y2FuYXJ5"}).encode()).decode()


def secrets(**more: str) -> dict[str, Any]:
    return {"stack_secrets": {"cloudflare_api_token": TOKEN, **more}}


# What is wrong, what lacks in the token's permissions, and the sentence.
BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown": ({"cloudflared_tunnel_id": OTHER}, "", f"account {ACCOUNT} has no tunnel {OTHER}; correct tunnel_id"),
    "bad-token": ({"stack_secrets": {"cloudflare_api_token": "canary"}}, "", "api_token is not a valid token"),
    "no-read": ({}, "tunnel:read", "api_token lacks the permission Account, Cloudflare Tunnel, Read"),
    "no-dns": ({}, "dns:read", f"api_token lacks the permission Zone, DNS, Read for zone {ZONE}"),
    "down": ({"cloudflared_api_url": "http://127.0.0.1:1"}, "", "[Errno 111] Connection refused"),
    "no-id": ({"cloudflared_tunnel_id": ""}, "", "cloudflared_tunnel_id is empty; give the tunnel's id"),
    "no-account": ({"cloudflared_account_id": ""}, "", "cloudflared_account_id is empty; give the account's id"),
    "no-token": ({"stack_secrets": {}}, "", "cloudflared_api_token is empty; make a token with the permission"),
    "odd-id": ({"cloudflared_rules": "local", "cloudflared_tunnel_id": "droplet"}, "", "'droplet', which is no tunnel"),
    "odd-tunnel-token": (secrets(cloudflare_tunnel_token="canary"), "", "cloudflared_tunnel_token is no token of a"),
    "others-token": (
        secrets(cloudflare_tunnel_token=token(OTHER)),
        "",
        f"is that of tunnel {OTHER} of account {ACCOUNT}, but the rules would go to tunnel {TUNNEL}",
    ),
    "runs-without": ({"cloudflared_manage": True}, "", "is true and cloudflared_tunnel_token is empty"),
    "not-root": (
        {"cloudflared_manage": True, "stack_host": USER, **secrets(cloudflare_tunnel_token=token())},
        "",
        "the run is not root on the host",
    ),
    "elsewhere": (
        {"cloudflared_manage": True, "cloudflared_subnet": "10.203.10.0/24", "cloudflared_address": "10.9.0.9",
         **secrets(cloudflare_tunnel_token=token())},
        "",
        "cloudflared_address is 10.9.0.9, which is no host's address in cloudflared_subnet (10.203.10.0/24)",
    ),
    "no-room": (
        {},
        "",
        f"zone example.org has the record A 192.0.2.1 of {HOSTS[1]}, beside which no CNAME can lead there",
    ),
    "absent-too": ({"cloudflared_absent_hosts": HOSTS[:1]}, "", f"cloudflared_absent_hosts names {HOSTS[0]}, which a"),
    "twice": (
        {"cloudflared_public_services": [*PUBLIC, {"name": "copy", "host": HOSTS[0], "port": 1}]},
        "",
        f"rules: {HOSTS[0]} is declared twice; a public host has exactly one rule",
    ),
}  # fmt: skip


def role(tasks: str, **more: Any) -> dict[str, Any]:
    return {
        "ansible.builtin.import_role": {"name": "bestviable.planner_memory.cloudflared", "tasks_from": tasks},
        **more,
    }


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, dict[str, FakeCloudflare]]:
    doubles: dict[str, FakeCloudflare] = {}
    hosts = {}
    with ExitStack() as stack:
        for name, (variables, lacks, _words) in BAD.items():
            doubles[name] = stack.enter_context(serve(FakeCloudflare()))
            doubles[name].may.discard(lacks)
            if name == "no-room":
                doubles[name].records.append({"type": "A", "name": HOSTS[1], "content": "192.0.2.1", "proxied": True})
            hosts[name] = {**REMOTE, "cloudflared_api_url": doubles[name].url, **variables}
        report = {"bestviable.planner_memory.preflight": {"report": True}}
        plays = [{"hosts": "all", "gather_facts": False, "tasks": [role("preflight"), report]}]
        run = run_playbook(
            tmp_path_factory.mktemp("told"),
            plays,
            hosts=hosts,
            ANSIBLE_CALLBACK_RESULT_FORMAT="json",
            ANSIBLE_FORKS="4",
        )
    return run, doubles


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence_before_anything_is_touched(told: Any, name: str) -> None:
    run, doubles = told
    assert f"fatal: [{name}]" in run.of_host(name), run.output
    assert BAD[name][2] in run.of_host(name)
    assert "things are wrong" not in run.of_host(name)
    assert doubles[name].writes == []


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"cloudflared_manage": True, "cloudflared_rules": "local"}, "is true and cloudflared_tunnel_token is empty"),
        ({"cloudflared_rules": "remote"}, "cloudflared_rules is remote and cloudflared_api_token is empty"),
    ],
    ids=["container", "rules"],
)
@pytest.mark.parametrize("check", [(), ("--check",)], ids=["run", "check"])
def test_a_secret_that_the_host_does_not_keep_is_missed_before_the_container(
    tmp_path: Path, variables: dict[str, Any], words: str, check: tuple[str, ...]
) -> None:
    tasks = [
        role("preflight"),
        {"bestviable.planner_memory.preflight": {"report": True}},
        {"ansible.builtin.set_fact": {"stack_secrets": {"postgres_password": "kept on the host"}}},
        role("define"),
        {"ansible.builtin.debug": {"msg": "described {{ stack_projects }}"}},
    ]
    given = {"stack_host": {"root": True}, "cloudflared_tunnel_id": TUNNEL, "cloudflared_account_id": ACCOUNT}
    with serve(FakeCloudflare()) as double:
        hosts = {"one": {**given, "cloudflared_api_url": double.url, **variables}}
        run = run_playbook(tmp_path, [{"hosts": "all", "gather_facts": False, "tasks": tasks}], *check, hosts=hosts)
    assert run.rc != 0 and words in run.output and "described" not in run.output, run.output


def test_no_secret_is_told(told: Any) -> None:
    assert "canary" not in told[0].output and "Y2FuYXJ5" not in told[0].output and TOKEN not in told[0].output


def with_dns_module(folder: Path, doubles: dict[str, FakeCloudflare]) -> str:
    """community.general's own module, but that a zone's API is its double; gives the path for collections."""
    found = next(Path(path) for path in sys.path if (Path(path) / "ansible_collections/community/general").is_dir())
    source = (found / "ansible_collections/community/general/plugins/modules/cloudflare_dns.py").read_text()
    line = "self.zone = lowercase_string(module.params['zone'])"
    assert source.count(line) == 1
    urls = {fake.zone: fake.url for fake in doubles.values()}
    module = folder / "collections/ansible_collections/community/general/plugins/modules/cloudflare_dns.py"
    module.parent.mkdir(parents=True)
    module.write_text(source.replace(line, f"{line}\n        self.cf_api_endpoint = {urls!r}[self.zone]"))
    return f"{folder / 'collections'}:{ROOT / 'collections'}"


class Written:
    """What a run made of each host's tunnel and zone; a host's zone is its name with .test."""

    def __init__(self, folder: Path) -> None:
        names = ("good", "check", "no-edit", "no-dns-edit", "moved", "taken", "no-zone")
        self.doubles = {name: FakeCloudflare() for name in names}
        for name, fake in self.doubles.items():
            fake.zone = f"{name}.test"
            fake.edit([SSH, {"hostname": f"old.{fake.zone}", "service": TRAEFIK}, END])
            fake.point(f"old.{fake.zone}", f"wiki.{fake.zone}")
        self.doubles["good"].point("memory.good.test", proxied=False)
        self.doubles["no-edit"].may.discard("tunnel:edit")
        self.doubles["no-dns-edit"].may.discard("dns:edit")
        taken = {"id": "a", "type": "A", "name": "planner.taken.test", "content": "192.0.2.1", "proxied": True}
        self.doubles["taken"].records.append(taken)
        moved = self.doubles["moved"]
        # After the preflight's look and the run's own, ahead of its last one before the write.
        looks = "/configurations"
        moved.before_call = lambda _method: (
            moved.edit([SSH, END]) if sum(call.endswith(looks) for call in moved.calls) == 3 else None
        )
        tasks = [role("preflight"), role("contents"), role("verify"), {"ansible.builtin.debug": {"msg": SEEN}}]
        play = {"hosts": "all:!check", "gather_facts": False, "tasks": tasks}
        with ExitStack() as stack:
            hosts = {name: self._host(fake, stack) for name, fake in self.doubles.items()}
            hosts["no-zone"]["cloudflared_zone_id"] = ""
            self.run = run_playbook(
                folder,
                [{**play, "hosts": "check", "check_mode": True}, play],
                hosts=hosts,
                ANSIBLE_COLLECTIONS_PATH=with_dns_module(folder, self.doubles),
                ANSIBLE_CALLBACK_RESULT_FORMAT="json",
                ANSIBLE_FORKS="4",
            )
            self.first = {name: list(fake.calls) for name, fake in self.doubles.items()}
            self.doubles["good"].calls.clear()
            self.again = run_playbook(folder, [{**play, "hosts": "good"}], hosts=hosts)

    @staticmethod
    def _host(fake: FakeCloudflare, stack: ExitStack) -> dict[str, Any]:
        return {
            **REMOTE,
            "cloudflared_api_url": stack.enter_context(serve(fake)).url,
            "cloudflared_zone": fake.zone,
            "cloudflared_public_services": [
                {**one, "host": one["host"].replace("example.org", fake.zone)} for one in PUBLIC
            ],
            "cloudflared_absent_hosts": [f"old.{fake.zone}"],
        }

    def seen(self, name: str, run: Optional[Run] = None) -> dict[str, Any]:
        said = (run or self.run).output.split(f"{name} saw ", 1)[1]
        return json.JSONDecoder().raw_decode(said.replace('\\"', '"').replace("\\\\", "\\"))[0]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return Written(tmp_path_factory.mktemp("written"))


def rules(name: str) -> list[dict[str, Any]]:
    return [{"hostname": f"{host}.{name}.test", "service": TRAEFIK} for host in ("memory", "planner")]


def records(fake: FakeCloudflare) -> dict[str, tuple[str, bool]]:
    return {one["name"]: (one["content"], one["proxied"]) for one in fake.records}


def test_rules_and_records_are_brought_beside_those_of_others(written: Written) -> None:
    good, here = written.doubles["good"], (f"{TUNNEL}.cfargotunnel.com", True)
    assert good.config is not None
    kept = [{**SSH, "originRequest": {}}, *rules("good"), END]
    assert good.config["ingress"] == kept, written.run.output
    assert records(good) == {"memory.good.test": here, "planner.good.test": here, "wiki.good.test": here}


def test_check_mode_tells_and_writes_nothing(written: Written) -> None:
    assert written.doubles["check"].writes == []
    assert "changed: [check]" in written.run.output


def test_the_second_run_asks_once_and_writes_nothing(written: Written) -> None:
    path = f"/accounts/{ACCOUNT}/cfd_tunnel/{TUNNEL}"
    assert written.doubles["good"].calls == [
        f"GET {path}",
        f"GET /zones/{ZONE}/dns_records",
        f"GET {path}/configurations",
    ]
    assert "changed=0" in written.again.output and "failed=0" in written.again.output, written.again.output


def test_what_was_written_is_read_back_before_it_is_proved(written: Written) -> None:
    wrote = max(index for index, call in enumerate(written.first["good"]) if not call.startswith("GET"))
    assert any(call.endswith("/configurations") for call in written.first["good"][wrote:])
    for run in (written.run, written.again):
        first, second = written.seen("good", run)["checks"]
        assert (first["id"], second["id"], first["deviates"], second["deviates"]) == ("6.1", "6.2", "", "")
        asked = first["probes"][0]["edge"]
        assert asked["rules"][1:3] == rules("good") and asked["known"] == []
        assert {"memory.good.test", "planner.good.test"} <= set(asked["cnames"])
        assert first["probes"][1]["exec"]["container"] == "planner-engine"
        assert "Host: memory.good.test" in first["probes"][1]["exec"]["argv"]


def test_without_the_zone_records_are_left_alone_and_said_to_be_unknown(written: Written) -> None:
    assert set(records(written.doubles["no-zone"])) == {"old.no-zone.test", "wiki.no-zone.test"}
    (check, _other) = written.seen("no-zone")["checks"]
    assert check["deviates"].endswith("is not known, for cloudflared_zone_id is not given")
    assert "cnames" not in check["probes"][0]["edge"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no-edit", "lacks the permission Account, Cloudflare Tunnel, Edit"),
        ("moved", "somebody else edits them; nothing was written, run again"),
        ("no-dns-edit", "needs the permissions Zone, Zone, Read and Zone, DNS, Edit for no-dns-edit.test"),
        ("taken", "An A, AAAA, or CNAME record with that host already exists"),
    ],
)
def test_a_write_that_fails_says_why(written: Written, name: str, words: str) -> None:
    assert any("fatal:" in line and words in line for line in written.run.of_host(name).splitlines())


@pytest.mark.parametrize(("name", "version"), [("no-edit", 1), ("moved", 2)])
def test_what_may_not_be_written_leaves_nothing_half_done(written: Written, name: str, version: int) -> None:
    fake = written.doubles[name]
    assert fake.version == version and not [call for call in fake.writes if "dns_records" in call]
    assert set(records(fake)) == {f"old.{name}.test", f"wiki.{name}.test"}


def test_rules_without_records_are_whole_and_mended_by_the_next_run(written: Written) -> None:
    fake = written.doubles["no-dns-edit"]
    assert fake.config is not None and fake.config["ingress"][1:3] == rules("no-dns-edit")
    assert set(records(fake)) == {"old.no-dns-edit.test", "wiki.no-dns-edit.test"}

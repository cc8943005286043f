# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role n8n refuses before it touches anything, one sentence each."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.support.playbook import Run, run_playbook

SECRETS = {
    "postgres_password": "of-no-use",
    "n8n_owner_password": "Of-no-use-1",
    "n8n_encryption_key": "canary-new-key",
    "n8n_slack_webhook_url": "https://slack.example/services/canary-slack",
    "n8n_webhook_secret": "canary-webhook-secret",
}
OLD_KEY = {"n8n_key_digest": hashlib.sha256(b"old").hexdigest()[:16]}
SAME_KEY = {"n8n_key_digest": hashlib.sha256(b"canary-new-key").hexdigest()[:16]}
HASH = "$2b$12$" + "canary" + "a" * 47
MADE = {"name": "n8n_owner_password"}
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no-slack": (
        {"n8n_slack_webhook_url": ""},
        "n8n_slack_webhook_url is no address that begins with https://; make an incoming webhook in Slack",
    ),
    "slack-is-no-address": ({"n8n_slack_webhook_url": "#alerts"}, "n8n_slack_webhook_url is no address"),
    "short-secret": (
        {"n8n_webhook_secret": "short"},
        "n8n_webhook_secret has 5 characters, and the webhooks want at least 16 in the header X-Webhook-Token; give",
    ),
    "no-time": ({"n8n_call_timeout": 0}, "n8n_call_timeout is 0, which is no time that a service could answer in"),
    "one-connection": ({"n8n_postgres_pool_size": 1}, "n8n_postgres_pool_size is 1; write a number from 2, which is"),
    "no-executions": (
        {"n8n_concurrency": 0},
        "n8n_concurrency is 0; write how many executions may run at once, such as 40.",
    ),
    "no-patience": ({"n8n_postgres_patience": 0}, "n8n_postgres_patience is 0; write seconds, at least 5, such as 60."),
    "no-address": (
        {"n8n_planner_url": "planner-engine:8091"},
        "n8n_planner_url is planner-engine:8091, which is no address; write one such as http://planner-engine:8091.",
    ),
    "unknown-workflow": ({"n8n_workflows": ["event-loger"]}, "n8n_workflows names 'event-loger', which this role does"),
    "no-bcrypt": (
        {"n8n_owner_password_hash": "canary-$2b$12$short"},
        "n8n_owner_password_hash is no bcrypt hash, and n8n would not start; make one of n8n_owner_password",
    ),
    "hash-alone": (
        {"n8n_owner_password": "", "n8n_owner_password_hash": HASH, "stack_secrets_generated": [MADE]},
        "n8n_owner_password_hash is given without n8n_owner_password, with which this role logs in to make its API key",
    ),
    # The key that was made on the host is known only after the preflight.
    "made-anew": ({"stack_host": OLD_KEY}, "n8n_encryption_key is another one than n8n's volume n8n_data was made"),
    "another-key": ({"stack_host": OLD_KEY}, "n8n_encryption_key is another one than n8n's volume n8n_data was made"),
}
KEY = {"n8n_api_key": "canary-key"}
BAD |= {
    "another-server": (
        {**KEY, "n8n_url": "stranger"},
        "n8n_api_key: GET /api/v1/workflows answered 501: Error response Error code: 501",
    ),
    "nobody-there": (
        {**KEY, "n8n_url": "nobody", "n8n_manage": False},
        "n8n_url is http://127.0.0.1:{nobody}, where nothing answers, and n8n_manage is false; start your n8n",
    ),
    "stalled": (
        {**KEY, "n8n_url": "stalled", "n8n_manage": False},
        "n8n_url is http://127.0.0.1:{stalled}, where nothing answers, and n8n_manage is false; start your n8n",
    ),
    "no-key-at-all": (
        {"n8n_manage": False, "n8n_owner_password": ""},
        "n8n_api_key and n8n_owner_password are empty and n8n_manage is false, so nothing can be put into your n8n",
    ),
}
GOOD: dict[str, dict[str, Any]] = {
    "same-key": {"stack_host": SAME_KEY},
    "owner-by-environment": {"n8n_owner_password_hash": HASH},
    "not-up-yet": {**KEY, "n8n_url": "nobody"},
    "stalled-and-ours": {**KEY, "n8n_url": "stalled"},
    "open-to-all": {"n8n_webhook_auth": False, "n8n_webhook_secret": ""},
}


def role(tasks: str) -> dict[str, Any]:
    return {"ansible.builtin.import_role": {"name": "bestviable.planner_memory.n8n", "tasks_from": tasks}}


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    """Where another server answers, where nobody takes a connection, and where somebody does and is silent."""
    with (
        HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as stranger,
        socket.create_server(("127.0.0.1", 0), backlog=50) as stalled,
        socket.socket() as closed,
    ):
        closed.bind(("127.0.0.1", 0))
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        yield {"stranger": stranger.server_port, "stalled": stalled.getsockname()[1], "nobody": closed.getsockname()[1]}
        stranger.shutdown()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, ports: dict[str, int]) -> Run:
    hosts = {name: dict(variables) for name, (variables, _words) in BAD.items()} | {
        name: dict(one) for name, one in GOOD.items()
    }
    for variables in hosts.values():
        if "n8n_url" in variables:
            variables["n8n_url"] = f"http://127.0.0.1:{ports[variables['n8n_url']]}"
    report = {"bestviable.planner_memory.preflight": {"report": True}}
    rules = role("preflight")
    plays = [
        {"hosts": "all:!made-anew", "gather_facts": False, "vars": {"stack_secrets": SECRETS}, "tasks": [rules, report]}
    ]
    plays.append({**plays[0], "hosts": "same-key:made-anew", "tasks": [role("define")]})
    return run_playbook(tmp_path_factory.mktemp("preflight"), plays, hosts=hosts, ANSIBLE_CALLBACK_RESULT_FORMAT="json")


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence(told: Run, ports: dict[str, int], name: str) -> None:
    told.refuses(name, BAD[name][1].format(**ports))


@pytest.mark.parametrize("name", GOOD)
def test_good_input_passes(told: Run, name: str) -> None:
    assert "fatal:" not in told.of_host(name)


def test_no_secret_is_told(told: Run) -> None:
    assert "canary" not in told.output

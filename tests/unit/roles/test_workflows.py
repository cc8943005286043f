# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The five workflows of requirement 4 as the role renders them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live.match import unmatched
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.definition import check_wanted

from tests.support.workflows import rendered, role_checks, role_workflows

SLACK = "https://slack.example/services/canary"
WEBHOOKS = {
    "coda-to-calendar-sync": "coda/task-created",
    "calendar-to-coda-sync": "gcal/event-updated",
    "event-logger": "events/log",
}
CRONS = {"daily-observer-trigger": "0 18 * * *", "weekly-observer-trigger": "0 18 * * 5"}
NAMES = [*WEBHOOKS, *CRONS]


@pytest.fixture(scope="module")
def workflows() -> dict[str, dict[str, Any]]:
    return role_workflows(n8n_slack_webhook_url=SLACK, n8n_timezone="Europe/Berlin")


def node(workflow: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in workflow["nodes"] if one["name"] == name)


def follow(workflow: dict[str, Any], name: str) -> list[list[str]]:
    """The names of the nodes behind each output."""
    return [[end["node"] for end in output] for output in workflow["connections"][name]["main"]]


def test_the_five_are_what_n8n_takes(workflows: dict[str, Any]) -> None:
    assert sorted(workflows) == sorted(NAMES)
    check_wanted(list(workflows.values()), content=True)


@pytest.mark.parametrize("name", NAMES)
def test_settings(workflows: dict[str, Any], name: str) -> None:
    assert workflows[name]["settings"] == {
        "executionOrder": "v1",
        "timezone": "Europe/Berlin",
        "executionTimeout": 276,
        "saveDataErrorExecution": "all",
        "saveDataSuccessExecution": "all",
    }


@pytest.mark.parametrize(("name", "path"), WEBHOOKS.items())
def test_webhooks(workflows: dict[str, Any], name: str, path: str) -> None:
    """Scenarios 4.1 to 4.3; in production they want a secret."""
    hook = node(workflows[name], "Webhook")
    assert (hook["parameters"]["path"], hook["parameters"]["httpMethod"]) == (path, "POST")
    assert hook["parameters"]["authentication"] == "headerAuth"
    assert hook["credentials"] == {"httpHeaderAuth": {"id": None, "name": "planner-memory-webhook"}}
    open_to_all = role_workflows(name, stack_environment="local")[name]
    assert "authentication" not in node(open_to_all, "Webhook")["parameters"]
    assert "credentials" not in node(open_to_all, "Webhook")


@pytest.mark.parametrize(("name", "cron"), CRONS.items())
def test_crons(workflows: dict[str, Any], name: str, cron: str) -> None:
    """Scenarios 4.4 and 4.5."""
    rule = node(workflows[name], "Schedule")["parameters"]["rule"]
    assert rule == {"interval": [{"field": "cronExpression", "expression": cron}]}
    mode = name.split("-", maxsplit=1)[0]
    url = node(workflows[name], "Call observer")["parameters"]["url"]
    assert url == f"http://observer-agent:8093/api/v1/observer/reflect?mode={mode}"


@pytest.mark.parametrize("name", NAMES)
def test_whatever_can_fail_is_tried_four_times(workflows: dict[str, Any], name: str) -> None:
    """Scenario 4.6."""
    workflow = workflows[name]
    fails = [one for one in workflow["nodes"] if one.get("onError") == "continueErrorOutput"]
    kinds = ("n8n-nodes-base.httpRequest", "n8n-nodes-base.postgres")
    reaching = {one["name"] for one in workflow["nodes"] if one["type"] in kinds} - {"Alert Slack", "Log failure"}
    assert {one["name"] for one in fails} == reaching
    for one in fails:
        call = one["name"]
        refused = follow(workflow, call)[1]
        if refused == ["Unknown client?"]:
            refused = follow(workflow, "Unknown client?")[1]
        assert refused == [f"{call}: retries left?"]
        assert follow(workflow, f"{call}: retries left?") == [[f"{call}: back off"], [f"{call}: give up"]]
        assert follow(workflow, f"{call}: back off") == [[call]]
        assert node(workflow, f"{call}: back off")["parameters"] == {
            "resume": "timeInterval",
            "amount": "={{ [2, 4, 8][$runIndex] }}",
            "unit": "seconds",
        }
        assert node(workflow, f"{call}: give up")["type"] == "n8n-nodes-base.stopAndError"
        if one["type"] == kinds[1]:
            assert follow(workflow, call)[0] == [f"{call}: answered?"]
            assert follow(workflow, f"{call}: answered?")[1] == [f"{call}: retries left?"]
        else:
            assert one["parameters"]["options"] == {"timeout": 10000}


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        ("4 calls, 2.0 s, 4.0 s, 8.0 s", True),
        ("4 calls, 6.9 s, 8.9 s, 12.9 s", True),
        ("4 calls, 1.9 s, 4.0 s, 8.0 s", False),
        ("4 calls, 2.0 s, 2.0 s, 8.0 s", False),
        ("4 calls, 2.0 s, 4.0 s, 7.9 s", False),
        ("4 calls, 8.0 s, 8.0 s, 8.0 s", False),
        ("4 calls, 2.0 s, 4.0 s, 13.0 s", False),
        ("3 calls, 2.0 s, 4.0 s", False),
    ],
)
def test_a_busy_host_may_call_again_late_and_none_may_early(told: str, verdict: bool) -> None:
    """Scenario 4.6, as verify asks for it."""
    (check,) = (one for one in role_checks(n8n_verify_end_to_end=True) if one["id"] == "4.6")
    probe = next(one for one in check["active_probes"] if "4.6" in str(one) and "calls, " in str(one))
    assert (not unmatched({"stdout": told}, probe["expect"])) is verdict


@pytest.mark.parametrize("name", NAMES)
def test_the_alarm_needs_no_code_and_the_address_of_slack_stands_in_its_credential(
    workflows: dict[str, Any], name: str
) -> None:
    """Scenario 4.6."""
    workflow = workflows[name]
    way = ["On error"]
    while way[-1] in workflow["connections"]:
        way.append(follow(workflow, way[-1])[0][0])
    assert way == ["On error", "Failure", "Log failure", "Alert Slack"]
    assert all(node(workflow, step)["type"] != "n8n-nodes-base.code" for step in way)
    assert node(workflow, "Alert Slack")["credentials"] == {
        "slackIncomingWebhook": {"id": None, "name": "planner-memory-slack"}
    }
    assert "canary" not in json.dumps(workflow)
    elsewhere = role_workflows(name, n8n_slack_webhook_url=SLACK, n8n_manage=False)[name]
    assert node(elsewhere, "Alert Slack")["parameters"]["url"] == SLACK
    assert json.dumps(elsewhere).count("canary") == 1


@pytest.mark.parametrize("name", WEBHOOKS)
def test_payloads_are_checked_without_the_task_runner(workflows: dict[str, Any], name: str) -> None:
    """It hangs on JSON that is nested some thousand levels deep; and an expression ends at its first closing braces."""
    assert all(one["type"] != "n8n-nodes-base.code" for one in workflows[name]["nodes"])
    (checks,) = [one for one in workflows[name]["nodes"] if follow(workflows[name], "Webhook") == [[one["name"]]]]
    expression = checks["parameters"]["jsonOutput"]
    assert expression.startswith("={{ ((body) => {") and expression.endswith("})($json.body) }}")
    assert "{{" not in expression[3:] and "}}" not in expression[:-2]


@pytest.mark.parametrize("name", NAMES)
def test_every_row_says_run_and_outcome(workflows: dict[str, Any], name: str) -> None:
    """Their source stands in event_source."""
    for one in workflows[name]["nodes"]:
        if "INSERT INTO events" in one["parameters"].get("query", ""):
            values = one["parameters"]["options"]["queryReplacement"]
            texts = {"Log failure": "Failure", "Insert event": "Validate"}
            said = (
                node(workflows[name], texts[one["name"]])["parameters"]["jsonOutput"]
                if one["name"] in texts
                else values
            )
            assert "run_id: " in said and "outcome: " in said and "workflow: " in said, one["name"]


def test_addresses_and_times_are_variables() -> None:
    workflows = role_workflows(
        n8n_planner_url="http://a:1", n8n_scheduler_url="http://b:2", n8n_observer_url="http://c:3",
        n8n_coda_mcp_url="http://d:4/x", n8n_coda_mcp_tool="set_status", n8n_daily_cron="30 7 * * *",
        n8n_call_timeout=3,
    )  # fmt: skip
    text = json.dumps(workflows)
    assert all(
        url in text for url in ("http://a:1/api", "http://b:2/api", "http://c:3/api", "http://d:4/x", "set_status")
    )
    assert "30 7 * * *" in text
    assert '"timeout": 3000' in text


@pytest.mark.parametrize(
    ("over", "names"),
    [
        ({}, ["planner-memory-postgres", "planner-memory-webhook", "planner-memory-slack"]),
        ({"n8n_webhook_auth": False}, ["planner-memory-postgres", "planner-memory-slack"]),
        ({"n8n_manage": False}, ["planner-memory-postgres", "planner-memory-webhook"]),
    ],
)
def test_credentials(over: dict[str, Any], names: list[str]) -> None:
    assert [one["name"] for one in rendered("{{ n8n_credentials }}", **over)] == names


def test_the_secret_of_the_webhooks_is_hidden_from_the_history() -> None:
    project = rendered("{{ n8n_project }}", n8n_webhook_header="X-Mine")
    service = yaml.safe_load(project["definition"])["services"]["n8n"]
    mounts = dict(one.removesuffix(":ro").split(":") for one in service["volumes"] if one.endswith(":ro"))
    assert set(mounts) == {f"./{one['path']}" for one in project["files"]}
    assert service["environment"]["EXTERNAL_HOOK_FILES"] == mounts["./hide-headers.js"]
    extension = mounts["./SlackIncomingWebhook.credentials.js"]
    assert extension.rpartition("/")[0] == service["environment"]["N8N_CUSTOM_EXTENSIONS"]
    assert service["environment"]["PLANNER_MEMORY_HIDDEN_HEADERS"] == "X-Mine"
    assert "enumerable: false" in project["files"][0]["content"]

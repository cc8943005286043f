# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A database that this stack does not make has to let us in before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.playbook import Run, run_preflight

MADE = {"stack_secrets_generated": [{"name": "postgres_password"}]}
ELSEWHERE = {"schema_login_host": "127.0.0.2", "schema_login_port": 1}
HOSTS = {
    "made_elsewhere": {**MADE, **ELSEWHERE, "schema_baseline": True},
    "made_here_by_others": {**MADE, "schema_login_port": 1, "schema_baseline": False},
    "without_password": {**ELSEWHERE, "schema_baseline": True},
    "with_password": {**MADE, **ELSEWHERE, "schema_baseline": True, "schema_login_password": "canary"},
    "ours": {**MADE, "schema_baseline": True},
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder: Path = tmp_path_factory.mktemp("schema")
    return run_preflight(folder, "schema", HOSTS, stack_host={})


@pytest.mark.parametrize(
    ("host", "address"), [("made_elsewhere", "127.0.0.2:1"), ("made_here_by_others", "127.0.0.1:1")]
)
def test_a_password_that_is_made_here_opens_no_database_of_others(told: Run, host: str, address: str) -> None:
    told.refuses(
        host, f"schema_login_password is left to stack_secrets_generated, but the database at {address} is not one"
    )


@pytest.mark.parametrize("host", ["without_password", "with_password"])
def test_a_database_that_does_not_answer_is_told(told: Run, host: str) -> None:
    told.refuses(host, "schema_login_host is 127.0.0.2 and schema_login_port is 1, where database")
    assert "canary" not in told.output


def test_our_own_database_may_be_yet_to_come(told: Run) -> None:
    assert "fatal: [ours]" not in told.output

"""Probes against live servers: what a container, a network, a database and a port really answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.plugin_utils import _checks as judging

from tests.support.containers import Container, docker
from tests.support.run_module import run_module

PASSWORD = "canary-password"


@pytest.fixture(scope="module")
def valkey(container: Callable[..., Container]) -> Iterator[Container]:
    one = container("valkey/valkey:8.1.1", ports=[6379])
    one.wait(lambda: docker("exec", one.name, "redis-cli", "ping", check=False) == "PONG")
    yield one


@pytest.fixture(scope="module")
def postgres(container: Callable[..., Container]) -> Iterator[Container]:
    one = container("postgres:17", env={"POSTGRES_PASSWORD": PASSWORD}, ports=[5432])
    select = ("psql", "-h", "127.0.0.1", "-U", "postgres", "-c", "SELECT 1")
    one.wait(lambda: "(1 row)" in docker("exec", one.name, *select, check=False))
    yield one


def ask(*probes: dict[str, Any], check: bool = False) -> list[dict[str, Any]]:
    return run_module("spec_probe", {"probes": list(probes)}, check=check)["results"]


def test_commands_inspection_ports_and_networks(valkey: Container) -> None:
    port = valkey.port(6379)
    ping, wrong, inspect, nobody, nowhere, network, no_network, listen, tcp = ask(
        {"exec": {"container": valkey.name, "argv": ["redis-cli", "ping"]}},
        {"exec": {"container": valkey.name, "argv": ["sh", "-c", "echo out; echo err >&2; exit 3"]}},
        {"inspect": {"container": valkey.name}},
        {"inspect": {"container": "t-nobody"}},
        {"exec": {"container": "t-nobody", "argv": ["true"]}},
        {"network": {"name": "bridge"}},
        {"network": {"name": "t-nowhere"}},
        {"listen": {"port": port}},
        {"tcp": {"host": "127.0.0.1", "port": port}},
    )
    assert (ping["rc"], ping["stdout"]) == (0, "PONG")
    assert (wrong["rc"], wrong["stdout"], wrong["stderr"]) == (3, "out", "err")
    assert inspect["State"]["Running"] is True and inspect["Name"] == f"/{valkey.name}"
    assert (nobody, no_network) == ({}, {})
    assert nowhere == {"error": "No such container: t-nobody"}
    assert network["Name"] == "bridge"
    assert listen == {"addresses": ["127.0.0.1"]}
    assert tcp["open"] is True


def test_a_query_only_reads_unless_it_may_write(postgres: Container) -> None:
    login = {"port": postgres.port(5432), "user": "postgres", "password": PASSWORD, "dbname": "postgres"}

    def sql(query: str, **more: Any) -> dict[str, Any]:
        return {"sql": {"login": login, "query": query}, "chain": "sql", **more}

    refused, made, row, empty, wrong = ask(
        sql("CREATE TABLE t_probe (a int)"),
        sql("CREATE TABLE t_probe (a int, b jsonb, c numeric, d timestamp)", writes=True),
        sql("INSERT INTO t_probe VALUES (1, '{\"k\": [1]}', 1.5, '2026-01-02') RETURNING *", writes=True),
        sql("SELECT * FROM t_probe WHERE a = 2"),
        {"sql": {"login": {**login, "password": "canary-wrong"}, "query": "SELECT 1"}},
    )
    assert "read-only transaction" in refused["error"]
    assert made["rows"] == []
    assert row["rows"] == [{"a": 1, "b": {"k": [1]}, "c": 1.5, "d": "2026-01-02T00:00:00"}]
    assert empty["rows"] == []
    assert "authentication failed" in wrong["error"] and "canary" not in wrong["error"]
    assert ask(sql("SELECT a FROM t_probe", writes=True), check=True) == [{"error": "not asked in check mode"}]
    assert ask(sql("SELECT a FROM t_probe"), check=True)[0]["rows"] == [{"a": 1}]


def test_from_a_check_to_a_verdict(valkey: Container) -> None:
    ping = {"container": valkey.name, "argv": ["redis-cli", "ping"]}
    checks = [
        {"id": "1.2", "title": "answers", "probes": [{"exec": ping, "expect": {"stdout": "PONG", "rc": 0}}]},
        {
            "id": "1.1",
            "title": "is limited",
            "probes": [{"inspect": {"container": valkey.name}, "expect": {"HostConfig/Memory": 209715200}}],
        },
    ]
    answers = ask(*judging.questions(checks, active=False))
    rows = judging.by_scenario(judging.judge(checks, answers, active=False))
    assert [(row["id"], row["verdict"]) for row in rows] == [("1.1", "FAILED"), ("1.2", "ok")]
    assert rows[0]["evidence"] == f"container {valkey.name}: HostConfig/Memory: wanted 209715200, seen 0"


def test_host_info_sees_the_engine_and_who_holds_the_port(valkey: Container) -> None:
    host = run_module("host_info", {})["host"]
    assert host["engine"]["running"] is True
    assert host["engine"]["version"] == docker("version", "--format", "{{.Server.Version}}")
    (listener,) = [one for one in host["listeners"] if one["port"] == valkey.port(6379)]
    assert (listener["address"], listener["container"]) == ("127.0.0.1", valkey.name)


def test_questions_are_asked_side_by_side(valkey: Container) -> None:
    """Each of two commands ends only when the other runs too."""
    meet = "touch /tmp/{}; until [ -e /tmp/{} ]; do sleep 0.05; done"
    pair = [{"exec": {"container": valkey.name, "argv": ["sh", "-c", meet.format(*who)]}} for who in ("ab", "ba")]
    probes = [*pair, *({"inspect": {"container": valkey.name}} for _number in range(24))]
    answers = run_module("spec_probe", {"probes": probes, "timeout": 60})["results"]
    assert all("error" not in answer for answer in answers)

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.plugin_utils import _checks as judging

PING = {
    "exec": {"container": "valkey", "argv": ["redis-cli", "ping"]},
    "expect": {"stdout": "PONG", "ms": {"max": 100}},
}
GOOD = {"rc": 0, "stdout": "PONG", "stderr": "", "ms": 43}
WRITE = {"sql": {"login": {}, "query": "DELETE FROM events"}, "expect": {"rows": []}}


def check(scenario: str = "1.2", title: str = "Valkey answers", **more: Any) -> dict[str, Any]:
    return {"id": scenario, "title": title, **more}


def verdict(one: dict[str, Any], *answers: dict[str, Any], active: bool = False) -> tuple[str, str]:
    (row,) = judging.judge([one], answers, active)
    assert row["ok"] == (row["verdict"] == "ok")
    return row["verdict"], row["evidence"]


@pytest.mark.parametrize(
    ("one", "answers", "active", "seen", "evidence"),
    [
        (check(probes=[PING]), [GOOD], False, "ok", "redis-cli ping in valkey: PONG, 43 ms"),
        (
            check(probes=[PING]),
            [{**GOOD, "ms": 340}],
            False,
            "FAILED",
            "redis-cli ping in valkey: ms: wanted at most 100, seen 340",
        ),
        (
            check(probes=[PING]),
            [{**GOOD, "stdout": "", "stderr": "NOAUTH"}],
            False,
            "FAILED",
            "redis-cli ping in valkey: stdout: wanted PONG, seen '' (NOAUTH)",
        ),
        (check(probes=[PING]), [{"error": "no engine"}], False, "FAILED", "redis-cli ping in valkey: no engine"),
        (check(probes=[PING, PING]), [{"error": "x"}] * 2, False, "FAILED", "redis-cli ping in valkey: x"),
        (check(probes=[PING], deviates="448m, no swap"), [GOOD], False, "deviates", "448m, no swap"),
        (check(probes=[PING], deviates=""), [GOOD], False, "ok", "redis-cli ping in valkey: PONG, 43 ms"),
        (check(probes=[PING], deviates="why"), [{"error": "x"}], False, "FAILED", "redis-cli ping in valkey: x"),
        (check(not_built="later", probes=[PING]), [], False, "not built", "later"),
        (check(active_probes=[WRITE]), [], False, "not tried", "its probes write; ask with active: true"),
        (
            check(probes=[PING], active_probes=[WRITE]),
            [GOOD],
            False,
            "ok",
            "redis-cli ping in valkey: PONG, 43 ms; probes that write were left out",
        ),
        (
            check(active_probes=[WRITE]),
            [{"rows": [{"id": 1}]}],
            True,
            "FAILED",
            "DELETE FROM events: rows: wanted [], seen [{'id': 1}]",
        ),
        (check(active_probes=[WRITE]), [{"rows": []}], True, "ok", "DELETE FROM events: rows []"),
        (check(probes=[PING]), [], False, "FAILED", "the host gave no answer"),
        (
            check(probes=[{"inspect": {"container": "gone"}, "expect": {"State/Running": True}}]),
            [{}],
            False,
            "FAILED",
            "container gone does not exist",
        ),
        (
            check(probes=[{"inspect": {"container": "archon-ui"}, "expect": {"Id": {"absent": True}}}]),
            [{}],
            False,
            "ok",
            "container archon-ui: as expected",
        ),
        (
            check(probes=[{"tcp": {"port": 6379}, "expect": {"open": False}}]),
            [{"open": True, "ms": 1}],
            False,
            "FAILED",
            "127.0.0.1:6379: open: wanted False, seen True",
        ),
        (
            check(probes=[{"tcp": {"port": 1}, "expect": {"error": {"contains": "name"}}}]),
            [{"error": "name unknown"}],
            False,
            "ok",
            "127.0.0.1:1: error name unknown",
        ),
        (
            check(probes=[{"http": {"url": "http://h/", "headers": {"Host": "m.org"}}, "expect": {"status": 200}}]),
            [{"status": 404}],
            False,
            "FAILED",
            "GET http://h/ for m.org: status: wanted 200, seen 404",
        ),
        (
            check(probes=[{"network": {"name": "docker_proxy"}, "expect": {"Name": "docker_proxy"}}]),
            [{}],
            False,
            "FAILED",
            "network docker_proxy does not exist",
        ),
    ],
)
def test_judge(one: dict[str, Any], answers: list[dict[str, Any]], active: bool, seen: str, evidence: str) -> None:
    assert judging.complaint(one) is None
    assert verdict(one, *answers, active=active) == (seen, evidence)


def test_answers_are_dealt_out_in_the_order_of_the_questions() -> None:
    checks = [
        check("1.1", probes=[PING, PING], active_probes=[WRITE]),
        check("10.1", not_built="x", probes=[PING]),
        check("2.1", probes=[{**PING, "within": 3}]),
    ]
    asked = judging.questions(checks, active=True)
    assert [one["chain"] for one in asked] == ["0", "0", "0", "2"]
    assert [one["writes"] for one in asked] == [False, False, True, False]
    assert [("within" in one, "expect" in one) for one in asked] == [(False, False)] * 3 + [(True, True)]
    rows = judging.judge(checks, [GOOD, GOOD, {"rows": []}, {**GOOD, "ms": 101}], active=True)
    assert [row["verdict"] for row in rows] == ["ok", "not built", "FAILED"]
    assert len(judging.questions(checks, active=False)) == 3


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("text", "a check is a mapping"),
        ({"title": "t", "probes": [PING]}, "check t has no id"),
        ({"id": 1.2, "title": "t"}, "check 1.2 has no id; write it as a quoted string"),
        ({"id": "1.2", "probes": [PING]}, "check 1.2 has no title"),
        (check(probe=[PING]), "unknown key probe"),
        (check(), "proves nothing"),
        (check(probes={"tcp": 1}), "probes is a list"),
        (check(probes=["x"]), "a probe is a mapping"),
        (check(probes=[{"expect": {"a": 1}}]), "a probe is exactly one of exec"),
        (check(probes=[{**PING, "tcp": {"port": 1}}]), "a probe is exactly one of exec"),
        (check(probes=[{**PING, "timeout": 1}]), "a probe is exactly one of exec"),
        (check(probes=[{"tcp": {"port": 1}}]), "the probe tcp expects nothing"),
        (check(active_probes=[{"tcp": {"port": 1}, "expect": {}}]), "the probe tcp expects nothing"),
        (check(probes=[{**PING, "expect": {"ms": {"max": 1, "maximum": 2}}}]), "ms mixes the matchers"),
        (check(probes=[{**PING, "expect": {"stdout": {"regex": "("}}}]), "regex /(/ is not valid"),
    ],
)
def test_a_check_that_is_written_wrongly_is_refused_in_one_sentence(wrong: Any, words: str) -> None:
    complaint = judging.complaint(wrong)
    assert complaint and words in complaint and "\n" not in complaint


def test_the_same_check_again_replaces_its_predecessor() -> None:
    first, other, again = check(probes=[PING]), check(title="other", probes=[PING]), check(probes=[PING], deviates="x")
    assert judging.merge([first, other], [again]) == [again, other]


def row(scenario: str, verdict: str, evidence: str = "e") -> dict[str, Any]:
    return judging.row(scenario, f"part {evidence}", verdict, evidence)


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        (["ok", "FAILED"], "FAILED"),
        (["ok", "not built"], "not built"),
        (["deviates", "ok"], "deviates"),
        (["not tried", "deviates"], "not tried"),
        (["not built", "FAILED"], "FAILED"),
        (["ok", "ok"], "ok"),
    ],
)
def test_a_scenario_is_as_good_as_its_worst_part(parts: list[str], whole: str) -> None:
    rows = judging.by_scenario([row("8.1", one, str(n)) for n, one in enumerate(parts)])
    assert [(one["id"], one["verdict"], one["title"]) for one in rows] == [("8.1", whole, "Service memory limits")]
    wanted = "; ".join(str(n) for n, one in enumerate(parts) if one == whole)
    assert rows[0]["evidence"] == wanted


def test_rows_come_in_the_order_of_the_specification_and_none_is_forgotten() -> None:
    rows = judging.by_scenario([row("10.1", "ok"), row("9.1", "ok"), row("2.1", "ok")], ["2.1", "2.2"])
    assert [(one["id"], one["verdict"]) for one in rows] == [
        ("2.1", "ok"),
        ("2.2", "no check"),
        ("9.1", "ok"),
        ("10.1", "ok"),
    ]
    assert judging.summary(rows) == {"ok": 3, "no check": 1}


def test_the_specification_has_35_scenarios() -> None:
    assert len(judging.SCENARIOS) == 35
    assert list(judging.SCENARIOS) == sorted(judging.SCENARIOS, key=judging.natural)


def test_the_table_is_short_lines_with_all_that_failed() -> None:
    rows = [
        judging.row("1.1", "Works", "ok", "fine " * 100),
        judging.row("1.2", "Fails", "FAILED", "because " * 40),
        judging.row("1.3", "Nothing", "no check", ""),
    ]
    lines = judging.table(rows, width=100)
    assert all(len(line) <= 100 for _verdict, line in lines)
    assert [line.split()[0] for _verdict, line in lines if line.startswith("  1.")] == ["1.1", "1.2", "1.3"]
    assert sum(verdict == "FAILED" for verdict, _line in lines) > 2


def test_the_edge_is_named_by_its_hosts() -> None:
    probe = {"edge": {"public": [{"host": "a.example.org"}, {"host": "b.example.org"}]}}
    assert judging.label(probe) == "the way to a.example.org, b.example.org"

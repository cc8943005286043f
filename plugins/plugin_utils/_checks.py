# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judging: from what was expected and what was seen to a verdict and a table. No I/O."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._live.match import (
    MATCHERS,
    is_matcher,
    pick,
    short,
    unmatched,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live.probes import KINDS

OK, FAILED, DEVIATES, NOT_BUILT = "ok", "FAILED", "deviates", "not built"
NOT_TRIED, NO_CHECK, TO_CHECK = "not tried", "no check", "to check"
# The verdict of a scenario is the first of these that one of its parts has.
WORST_FIRST = (FAILED, NOT_BUILT, NOT_TRIED, TO_CHECK, DEVIATES, OK)

SCENARIOS = {
    "1.1": "Valkey deployment with memory limits",
    "1.2": "Valkey health check",
    "1.3": "Valkey memory eviction",
    "2.1": "Events table creation",
    "2.2": "Plans table creation",
    "2.3": "Graph tables creation",
    "2.4": "Prompt templates seeded",
    "2.5": "Helper function for graph traversal",
    "2.6": "Execution runs table creation",
    "2.7": "Execution runs enable pattern learning",
    "3.1": "Doc chunks collection creation",
    "3.2": "Events collection creation",
    "3.3": "Agent memories collection creation",
    "3.4": "Daily threads collection creation",
    "3.5": "Collection validation",
    "4.1": "Coda-to-Calendar sync workflow",
    "4.2": "Calendar-to-Coda sync workflow",
    "4.3": "Event logger workflow",
    "4.4": "Daily Observer trigger workflow",
    "4.5": "Weekly Observer trigger workflow",
    "4.6": "Workflow error handling",
    "5.1": "External service network configuration",
    "5.2": "Internal service network configuration",
    "5.3": "Network isolation validation",
    "6.1": "Memory Gateway Traefik routing",
    "6.2": "Planner Engine Traefik routing",
    "6.3": "Scheduler Engine Traefik routing",
    "7.1": "Memory Gateway health check",
    "7.2": "Valkey health check",
    "8.1": "Service memory limits",
    "8.2": "Service CPU limits",
    "9.1": "Service logging configuration",
    "10.1": "Archon containers stopped",
    "10.2": "Archon resources freed",
    "10.3": "Archon marked deprecated in documentation",
}
CHECK_KEYS = ("id", "title", "probes", "active_probes", "deviates", "not_built")
PROBE_KEYS = ("expect", "within", *KINDS)
WIDTH = 150


def natural(scenario: str) -> list[Any]:
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"[.]", scenario)]


def complaint(check: Any) -> Optional[str]:
    """What is wrong with a check's own form, in one sentence; None when nothing is."""
    if not isinstance(check, Mapping):
        return f"a check is a mapping, but got {short(check)}; write id, title and probes."
    name = f"check {check.get('id') or check.get('title') or short(dict(check))}"
    for key in ("id", "title"):
        if not isinstance(check.get(key), str) or not check[key]:
            return f'{name} has no {key}; write it as a quoted string, such as id: "1.2".'
    unknown = sorted(set(check) - set(CHECK_KEYS))
    if unknown:
        return f"{name} has the unknown key {unknown[0]}; use {', '.join(CHECK_KEYS)}."
    for key in ("probes", "active_probes"):
        if not isinstance(check.get(key) or [], list):
            return f"{name}: {key} is a list, but got {short(check[key])}."
        for probe in check.get(key) or []:
            wrong = _probe_complaint(probe)
            if wrong:
                return f"{name}: {wrong}"
    if not (check.get("probes") or check.get("active_probes") or check.get("not_built")):
        return f"{name} proves nothing; give it probes, or say in not_built why there are none."
    return None


def _probe_complaint(probe: Any) -> Optional[str]:
    if not isinstance(probe, Mapping):
        return f"a probe is a mapping, but got {short(probe)}."
    kinds = [kind for kind in KINDS if kind in probe]
    unknown = sorted(set(probe) - set(PROBE_KEYS))
    if len(kinds) != 1 or unknown:
        return f"a probe is exactly one of {', '.join(KINDS)} beside expect and within, but got {', '.join(probe)}."
    expect = probe.get("expect")
    if not isinstance(expect, Mapping) or not expect:
        return f"the probe {kinds[0]} expects nothing; give it expect with at least one path."
    for path, matcher in expect.items():
        if isinstance(matcher, Mapping) and set(matcher) & set(MATCHERS) and not is_matcher(matcher):
            return f"{path} mixes the matchers {', '.join(MATCHERS)} with other keys."
        if is_matcher(matcher) and "regex" in matcher:
            try:
                re.compile(str(matcher["regex"]))
            except re.error as error:
                return f"{path}: the regex /{matcher['regex']}/ is not valid: {error}."
    return None


def merge(known: Sequence[Mapping[str, Any]], more: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Remember checks; the same one (id and title) again replaces its predecessor."""
    found = {(check["id"], check["title"]): check for check in known}
    found.update({(check["id"], check["title"]): check for check in more})
    return list(found.values())


def questions(checks: Sequence[Mapping[str, Any]], active: bool) -> list[dict[str, Any]]:
    """The probes of all checks as spec_probe wants them, those of one check in one chain."""
    found = []
    for number, check in enumerate(checks):
        for writes, probe in _probes_of(check, active):
            one = {key: value for key, value in probe.items() if key in KINDS}
            one.update(chain=str(number), writes=writes)
            if probe.get("within"):
                one.update(within=probe["within"], expect=probe["expect"])
            found.append(one)
    return found


def _probes_of(check: Mapping[str, Any], active: bool) -> list[tuple[bool, Mapping[str, Any]]]:
    if check.get("not_built"):
        return []
    passive = [(False, probe) for probe in check.get("probes") or []]
    return passive + ([(True, probe) for probe in check.get("active_probes") or []] if active else [])


def judge(
    checks: Sequence[Mapping[str, Any]], answers: Sequence[Mapping[str, Any]], active: bool
) -> list[dict[str, Any]]:
    """A verdict for each check, from the answers to ``questions(checks, active)`` in their order."""
    position = 0
    verdicts = []
    for check in checks:
        probes = [probe for _writes, probe in _probes_of(check, active)]
        verdicts.append(_judge_one(check, probes, answers[position : position + len(probes)], active))
        position += len(probes)
    return verdicts


def _judge_one(
    check: Mapping[str, Any], probes: Sequence[Mapping[str, Any]], answers: Sequence[Mapping[str, Any]], active: bool
) -> dict[str, Any]:
    left_out = bool(check.get("active_probes")) and not active
    wrong = list(dict.fromkeys(line for probe, answer in zip(probes, answers) for line in _wrong(probe, answer)))
    if check.get("not_built"):
        verdict, evidence = NOT_BUILT, [check["not_built"]]
    elif len(answers) < len(probes):
        verdict, evidence = FAILED, ["the host gave no answer"]
    elif wrong:
        verdict, evidence = FAILED, wrong
    elif not probes:
        verdict, evidence = NOT_TRIED, ["its probes write; ask with active: true"]
    elif check.get("deviates"):
        verdict, evidence = DEVIATES, [str(check["deviates"]).strip()]
    else:
        verdict, evidence = OK, [_seen(probe, answer) for probe, answer in zip(probes, answers)]
        evidence += ["probes that write were left out"] if left_out else []
    return row(check["id"], check["title"], verdict, "; ".join(evidence))


def row(scenario: str, title: str, verdict: str, evidence: str) -> dict[str, Any]:
    return {"id": scenario, "title": title, "verdict": verdict, "ok": verdict == OK, "evidence": evidence}


def _wrong(probe: Mapping[str, Any], answer: Mapping[str, Any]) -> list[str]:
    expect = probe["expect"]
    if "error" in answer and not any(path.split("/")[0] == "error" for path in expect):
        return [f"{label(probe)}: {answer['error']}"]
    if not answer and unmatched(answer, expect):
        return [f"{label(probe)} does not exist"]
    lines = [f"{label(probe)}: {line}" for line in unmatched(answer, expect)]
    if lines and answer.get("stderr"):
        lines[-1] += f" ({short(answer['stderr'])})"
    return lines


def label(probe: Mapping[str, Any]) -> str:
    """The question in a few words."""
    kind = next(kind for kind in KINDS if kind in probe)
    wanted = probe[kind]
    if kind == "exec":
        words = " ".join(" ".join(map(str, wanted.get("argv") or [])).split())
        return f"{words if len(words) <= 50 else words[:49] + '…'} in {wanted.get('container')}"
    if kind == "http":
        host = next((v for k, v in (wanted.get("headers") or {}).items() if k.lower() == "host"), "")
        return f"{wanted.get('method') or 'GET'} {wanted.get('url')}" + (f" for {host}" if host else "")
    if kind == "sql":
        words = " ".join(str(wanted.get("query")).split())
        return words if len(words) <= 60 else words[:59] + "…"
    if kind == "tcp":
        return f"{wanted.get('host') or '127.0.0.1'}:{wanted.get('port')}"
    if kind == "engine":
        return "the engine"
    if kind == "listen":
        return f"port {wanted.get('port')}"
    if kind == "service":
        return f"service {wanted.get('name')} of the host"
    if kind == "file":
        return str(wanted.get("path"))
    if kind == "edge":
        return f"the way to {', '.join(str(one.get('host')) for one in wanted.get('public') or []) or 'nobody'}"
    return f"container {wanted.get('container')}" if kind == "inspect" else f"network {wanted.get('name')}"


def _seen(probe: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    values = []
    for path, matcher in probe["expect"].items():
        if is_matcher(matcher) and "absent" in matcher:
            continue
        name = path.rsplit("/", 1)[-1]
        value = short(pick(answer, path))
        values.append(value if name in ("stdout", "status") else f"{value} ms" if name == "ms" else f"{name} {value}")
    return f"{label(probe)}: {', '.join(values)}" if values else f"{label(probe)}: as expected"


def by_scenario(verdicts: Sequence[Mapping[str, Any]], expected: Iterable[str] = ()) -> list[dict[str, Any]]:
    """One row a scenario, in the order of the specification; a scenario is as good as its worst part."""
    parts: dict[str, list[Mapping[str, Any]]] = {}
    for one in verdicts:
        parts.setdefault(one["id"], []).append(one)
    rows = [_joined(scenario, of_it) for scenario, of_it in parts.items()]
    rows += [row(scenario, SCENARIOS.get(scenario, ""), NO_CHECK, "") for scenario in expected if scenario not in parts]
    return sorted(rows, key=lambda one: natural(one["id"]))


def _joined(scenario: str, parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if len(parts) == 1:
        return dict(parts[0])
    verdict = next(one for one in WORST_FIRST if any(part["verdict"] == one for part in parts))
    told = [part["evidence"] for part in parts if part["verdict"] == verdict and part["evidence"]]
    evidence = "; ".join(dict.fromkeys(told))
    return row(scenario, SCENARIOS.get(scenario, parts[0]["title"]), verdict, evidence)


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    counted = Counter(one["verdict"] for one in rows)
    return {verdict: counted[verdict] for verdict in (*WORST_FIRST[::-1], NO_CHECK) if counted[verdict]}


def table(rows: Sequence[Mapping[str, Any]], width: int = WIDTH) -> list[tuple[str, str]]:
    """Lines as (verdict, text): a scenario a line, and under those that are not ok everything that was seen."""
    lines = []
    for one in rows:
        head = f"  {one['id']:<5} {one['verdict']:<10} {one['title']}"
        evidence = " ".join(str(one["evidence"]).split())
        if one["verdict"] in (OK, TO_CHECK, NO_CHECK):
            rest = width - len(head) - 3
            text = f"{head} · {evidence}" if evidence and rest > 20 else head
            lines.append((one["verdict"], text if len(text) <= width else text[: width - 1] + "…"))
            continue
        lines.append((one["verdict"], head))
        lines += [(one["verdict"], f"{'':19}{part}") for part in _wrapped(evidence, width - 19)[:8]]
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=True, break_on_hyphens=False)

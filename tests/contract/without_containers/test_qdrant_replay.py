# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Exchanges with the official server, replayed against the stand-in."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.standin import StandIn

RECORDED = Path(__file__).resolve().parents[2] / "fixtures/qdrant/exchanges.jsonl"
# About the moment, the machine or the build.
EXEMPT = {
    "time",
    "usage",
    "version",
    "commit",
    "creation_time",
    "checksum",
    "operation_id",
    "segments_count",
    "indexed_vectors_count",
    "peer_id",
    "local_shards",
    "remote_shards",
    "warnings",
    "update_queue",
}
FORMAT_ERROR = "Format error in JSON body"
# The stand-in says what it is, and has no optimizer that would be at work.
ON_PURPOSE = {".title", ".result.status"}
MOST_ON_PURPOSE = 0.01


def leaves(data: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(data, dict) and data:
        for key, value in data.items():
            if key not in EXEMPT:
                yield from leaves(value, f"{path}.{key}")
    elif isinstance(data, list) and data:
        for number, value in enumerate(data):
            yield from leaves(value, f"{path}[{number}]")
    else:
        yield path, data


def comparable(path: str, body: Any) -> dict[str, Any]:
    if isinstance(body, dict):
        result, status = body.get("result"), body.get("status")
        if isinstance(status, dict) and str(status.get("error", "")).startswith(FORMAT_ERROR):
            status["error"] = FORMAT_ERROR
        if isinstance(result, dict):
            for rows, key in (("collections", "name"), ("aliases", "alias_name")):
                if rows in result:
                    result[rows].sort(key=lambda row: row[key])
        if "/snapshots" in path:
            for row in result if isinstance(result, list) else [result]:
                if isinstance(row, dict):
                    row.pop("size", None)
    return dict(leaves(body))


def same(left: Any, right: Any) -> bool:
    numbers = all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in (left, right))
    return math.isclose(left, right, rel_tol=1e-5) if numbers else left == right


def test_the_stand_in_answers_as_the_official_server_did(folder: Path) -> None:
    rows = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    fields = on_purpose = 0
    wrong: list[str] = []
    for group in dict.fromkeys(row["group"] for row in rows):
        server = StandIn(folder / group)
        snapshot = ""
        for row in (row for row in rows if row["group"] == group):
            body = row["body"].encode() if isinstance(row["body"], str) else row["body"]
            path = row["path"].replace("{{snapshot}}", snapshot)
            status, answer = server.send(row["method"], path, body, row["headers"])
            assert status == row["answer"]["status"], f"{group}: {row['name']}: {answer}"
            if row["method"] == "POST" and "/snapshots" in path and status == 200:
                snapshot = answer["result"]["name"]
            text = json.dumps(row["answer"]["body"]).replace("{{snapshot}}", snapshot)
            wanted, seen = comparable(path, json.loads(text)), comparable(path, answer)
            fields += len({*wanted, *seen})
            for key in sorted({*wanted, *seen}):
                if key in wanted and key in seen and same(wanted[key], seen[key]):
                    continue
                line = f"{group}: {row['name']}: {key}: wanted {wanted.get(key)!r}, seen {seen.get(key)!r}"
                if key in ON_PURPOSE:
                    on_purpose += 1
                else:
                    wrong.append(line)
        server.store.close()
    assert fields > 1500
    assert wrong == []
    assert on_purpose <= MOST_ON_PURPOSE * fields, f"{on_purpose} of {fields}"

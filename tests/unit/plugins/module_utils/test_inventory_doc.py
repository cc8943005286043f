from __future__ import annotations

import random
from pathlib import Path
from typing import Any, Optional

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._inventory_doc.deployed import (
    expected,
    fields_of_containers,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._inventory_doc.edit import Edits, refresh
from ansible_collections.bestviable.planner_memory.plugins.module_utils._inventory_doc.find import about, rows_about
from ansible_collections.bestviable.planner_memory.plugins.module_utils._inventory_doc.merge import (
    CONFLICT,
    OURS,
    SAME,
    THEIRS,
    decide,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._inventory_doc.parse import (
    cell_spans,
    comparable,
    parse,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._inventory_doc.wanted import (
    KEYS,
    Service,
    date_of,
)

from tests.support.inventories import stored

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures/service_inventory"
ARCHON = Service("Archon", "deprecated", ["archon-server", "archon-ui", "archon-mcp"])


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.md")), ids=lambda path: path.stem)
def test_a_document_without_edits_is_its_text(path: Path) -> None:
    text = stored(path).decode()
    assert Edits(parse(text)).result() == text


def test_any_text_at_all_survives_being_read() -> None:
    chance = random.Random(10)
    pieces = [
        "### 1. Archon",
        "**Status**: up",
        "| a | Status |",
        "|---|---|",
        "```",
        "<!--",
        "-->",
        "\r",
        "\n",
        "\r\n",
    ]
    pieces += [
        "\t",
        "  ",
        "- ",
        "> ",
        "\u2028",
        "\x0b",
        "\x0c",
        "\x00",
        "\ufeff",
        "🧠",
        "`",
        "**",
        "---",
        "===",
        "\\",
        "|",
    ]
    for _turn in range(300):
        text = "".join(chance.choices(pieces, k=40))
        document = parse(text)
        assert Edits(document).result() == text
        about(document, ARCHON)
        rows_about(document, ARCHON)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "verdict"),
    [
        (None, "a", None, OURS),
        (None, "a", "b", OURS),
        (None, "a", "`a`", SAME),
        ("a", "a", "a", SAME),
        ("a", "b", "a", OURS),
        ("a", "a", "b", THEIRS),
        ("a", "a", None, THEIRS),
        ("a", "b", "b", SAME),
        ("a", "b", "c", CONFLICT),
        ("a", "b", None, CONFLICT),
        ("a", None, "a", OURS),
        ("a", None, "b", CONFLICT),
        ("a", None, None, SAME),
    ],
)
def test_whose_line_stands(base: Optional[str], ours: Optional[str], theirs: Optional[str], verdict: str) -> None:
    assert decide(base, ours, theirs, replace=False) == verdict
    assert decide(base, ours, theirs, replace=True) == (SAME if verdict == SAME else OURS)


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ("| a | b |", [" a ", " b "]),
        ("a|b", ["a", "b"]),
        ("  | a |  ", [" a "]),
        (r"| a \| b | `c \| d` | `e | f` |", [r" a \| b ", r" `c \| d` ", " `e ", " f` "]),
        ("||a||", ["", "a", ""]),
        ("no pipe", ["no pipe"]),
    ],
)
def test_cells_stand_between_bare_pipes(row: str, cells: list[str]) -> None:
    assert [row[slice(*span)] for span in cell_spans(row)] == cells


@pytest.mark.parametrize("name", ["Archon", " archon ", "✅ **Archon** 🎉", "~~ARCHON~~", "\uff21rchon", "_Archon_:"])
def test_names_are_compared_without_their_dress(name: str) -> None:
    assert comparable(name) == "archon"


@pytest.mark.parametrize(
    "heading",
    [
        "### 1. Archon",
        "## 12) archon-ui",
        "#### 3. 🏛️ Archon (the old one) ###",
        "### 4. `archon-server`",
        "3\\. Archon\n---",
    ],
)
def test_headings_that_mean_the_service(heading: str) -> None:
    assert len(about(parse(f"{heading}\n\nText.\n"), ARCHON)) == 1


@pytest.mark.parametrize("heading", ["### 1. Archonaut", "### 1. Not Archon", "    ### 1. Archon", "> ### 1. Archon"])
def test_headings_that_do_not(heading: str) -> None:
    assert about(parse(f"{heading}\n\n**Status**: up\n"), ARCHON) == []


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("**Last Updated**: 2025-11-20", "**Last Updated**: 2025-12-02"),
        ("*Last updated: 2025-11-20 08:00 UTC (by Ann)*", "*Last updated: 2025-12-02 (by Ann)*"),
        ("_Document last updated:_ 2025-11-20T08:00:00Z", "_Document last updated:_ 2025-12-02"),
        ("_Last updated: 2025-11-20_", "_Last updated: 2025-12-02_"),
        ("__Last updated__: 2025-11-20", "__Last updated__: 2025-12-02"),
        ("> 🕐 Last updated 2025-11-20.", "> 🕐 Last updated 2025-12-02."),
        ("**Last Updated**: 20 November 2025", "**Last Updated**: 20 November 2025"),
        ("**Last Updated**: 2025-12-03", "**Last Updated**: 2025-12-03"),
        ("We last met when it was updated 2025-11-20", "We last met when it was updated 2025-11-20"),
        (
            "### 1. n8n\n**Status**: up\n**Last updated**: 2025-11-20",
            "### 1. n8n\n**Status**: up\n**Last updated**: 2025-11-20",
        ),
        ("`Last updated: 2025-11-20`", "`Last updated: 2025-12-02`"),
        ("```\nLast updated: 2025-11-20\n```", "```\nLast updated: 2025-11-20\n```"),
    ],
)
def test_which_dates_are_refreshed(line: str, after: str) -> None:
    edits = Edits(parse(line))
    refresh(edits, "2025-12-02")
    assert edits.result() == after


@pytest.mark.parametrize("value", ["", "2025-02-30", "2025-1-1", "01.12.2025", "2025-12-01T00:00", "2025-W01-1"])
def test_a_date_that_is_none(value: str) -> None:
    with pytest.raises(StackError, match="which is no date; write one as YYYY-MM-DD"):
        date_of("date", value)


def test_containers_of_one_service_share_its_lines() -> None:
    one = {
        "Name": "/a",
        "Config": {"Image": "x:1"},
        "HostConfig": {"Memory": 157286400, "NanoCpus": 0},
        "State": {"Status": "running"},
    }
    two = {"Name": "/b", "Config": {"Image": "x:1", "Healthcheck": {"Test": ["CMD-SHELL", "curl\n -f x"]}}}
    assert fields_of_containers([one, two, {}], KEYS) == {
        "Container": "a, b",
        "Image": "x:1",
        "Limits": "150m memory",
        "Health": "curl -f x",
        "Status": "Running",
    }
    assert fields_of_containers([{"Config": {"Healthcheck": {"Test": ["NONE"]}}}], KEYS) == {}


@pytest.mark.parametrize(
    ("definition", "lines"),
    [
        (
            {
                "container_name": "valkey",
                "image": "valkey/valkey:8.1.1",
                "networks": ["docker_syncbricks"],
                "mem_limit": "448m",
                "cpus": 0.5,
                "healthcheck": {"test": ["CMD", "redis-cli", "ping"], "interval": "10s"},
            },
            {
                "Container": "valkey",
                "Image": "valkey/valkey:8.1.1",
                "Networks": "docker_syncbricks",
                "Limits": "448m memory, 0.5 CPUs",
                "Health": "redis-cli ping every 10s",
            },
        ),
        (
            {"image": "x:1", "network_mode": "none"},
            {"Container": "x", "Image": "x:1", "Networks": "none"},
        ),
        (
            {"image": "x:1", "mem_limit": "1g", "networks": {"b": {"ipv4_address": "10.0.0.2"}, "a": None}},
            {"Container": "x", "Image": "x:1", "Networks": "a, b", "Limits": "1024m memory"},
        ),
        (
            {"image": "x:1", "cpus": "1.50", "healthcheck": {"test": "test $$X", "interval": "1m30s"}},
            {"Container": "x", "Image": "x:1", "Limits": "1.5 CPUs", "Health": "test $X every 90s"},
        ),
        (
            {"image": "x:1", "mem_limit": 209715200, "healthcheck": {"disable": True, "test": "x"}},
            {"Container": "x", "Image": "x:1", "Limits": "200m memory"},
        ),
    ],
    ids=["ours", "no network", "networks with settings", "a shell's check", "bytes"],
)
def test_a_compose_file_tells_what_the_engine_will_say(definition: dict[str, Any], lines: dict[str, str]) -> None:
    assert fields_of_containers([expected(definition, "x")], KEYS) == {**lines, "Status": "Running"}


def test_a_size_that_is_none_is_told() -> None:
    with pytest.raises(StackError, match="mem_limit is 'much', which is no size; write one such as 200m"):
        expected({"mem_limit": "much"}, "x")

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole module against scripted HTTP: the exact calls, in their order."""

from __future__ import annotations

from typing import Any

import pytest
import responses
from responses.matchers import json_params_matcher
from responses.registries import OrderedRegistry

from tests.support.run_module import ModuleFailed, run_module

BASE = "http://qdrant.test:6333"
scripted = responses.activate(registry=OrderedRegistry, assert_all_requests_are_fired=True)


def ok(result: Any) -> dict[str, Any]:
    return {"result": result, "status": "ok", "time": 0.0}


def aliased(**aliases: str) -> None:
    rows = [{"alias_name": alias, "collection_name": target} for alias, target in aliases.items()]
    responses.get(f"{BASE}/aliases", json=ok({"aliases": rows}))


def listed(*names: str) -> None:
    responses.get(f"{BASE}/collections", json=ok({"collections": [{"name": name} for name in names]}))


def run(check: bool = False, **params: Any) -> dict[str, Any]:
    return run_module("qdrant_alias", {"url": BASE, **params}, check=check)


def refused(**params: Any) -> str:
    with pytest.raises(ModuleFailed) as caught:
        run(**params)
    return str(caught.value)


@scripted
def test_a_second_run_reads_the_aliases_once() -> None:
    aliased(live="a", other="b")
    assert run(name="live", collection="a")["changed"] is False


@scripted
def test_all_changes_are_one_call() -> None:
    aliased(live="a", trial="a")
    listed("a", "b")
    actions = [
        {"create_alias": {"collection_name": "b", "alias_name": "live"}},
        {"create_alias": {"collection_name": "a", "alias_name": "spare"}},
        {"delete_alias": {"alias_name": "trial"}},
    ]
    responses.post(f"{BASE}/collections/aliases", json=ok(True), match=[json_params_matcher({"actions": actions})])
    aliased(live="b", spare="a")
    result = run(
        aliases=[
            {"name": "trial", "state": "absent"},
            {"name": "spare", "collection": "a"},
            {"name": "live", "collection": "b"},
        ]
    )
    assert result["actions"] == ["move alias live from a to b; create alias spare of a; delete alias trial of a"]
    assert result["diff"]["after"] == result["aliases"] == {"live": "b", "spare": "a", "trial": None}


@scripted
def test_check_mode_only_reads() -> None:
    aliased()
    listed("a")
    assert run(check=True, name="live", collection="a")["actions"] == ["create alias live of a"]


@scripted
@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"name": "b", "collection": "a"}, "alias 'b' is a collection on the server"),
        ({"name": "live", "collection": "c"}, "alias 'live' is to point to 'c', which is no collection on the server"),
    ],
)
def test_what_cannot_be_an_alias_is_told_before_anything_is_written(params: dict[str, Any], sentence: str) -> None:
    aliased()
    listed("a", "b")
    assert sentence in refused(**params)


@scripted
@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"name": "live"}, "alias 'live' has no collection"),
        ({"name": "live", "collection": "live"}, "alias 'live' is its own collection"),
        ({"name": "a/b", "collection": "c"}, "an alias cannot contain '/'"),
        ({"aliases": [{"name": "x", "state": "absent"}] * 2}, "aliases has 'x' 2 times"),
        ({"aliases": [], "collection": "c"}, "collection or state stands beside aliases"),
        ({}, "one of the following is required: name, aliases"),
    ],
)
def test_bad_input_is_one_sentence_before_anything_is_contacted(params: dict[str, Any], sentence: str) -> None:
    assert sentence in refused(**params)

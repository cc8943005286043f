# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a declaration is made of before anybody is asked: the same with Ansible and without."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.declaration import (
    COLLECTION_SPEC,
    desired_from_params,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import Desired

V = {"size": 4, "distance": "Dot"}


def desired(**row: Any) -> Desired:
    (found,) = desired_from_params({"collections": [{"name": "c", **row}]})
    return found


def test_an_option_without_a_value_has_its_safe_default() -> None:
    assert desired(**dict.fromkeys(COLLECTION_SPEC)) == Desired("c")
    found = desired(state=None, backup=None, on_immutable=None, drop_old=None)
    assert (found.present, found.backup, found.on_immutable, found.drop_old) == (True, True, "fail", False)


@pytest.mark.parametrize(
    ("option", "given", "meant"),
    [
        ("name", 5, "5"),
        ("shard_number", "2", 2),
        ("on_disk_payload", "yes", True),
        ("backup", "no", False),
        ("drop_old", 0, False),
        ("aliases", "live", ("live",)),
        ("aliases", "a, b", ("a", "b")),
        ("aliases", [5], ("5",)),
        ("metadata", {1: datetime.date(2026, 1, 2), "a": {2: [None]}}, {"1": "2026-01-02", "a": {"2": [None]}}),
        ("vectors", {1: V}, {"1": V}),
        ("quantization_config", {"binary": None}, {"binary": {}}),
        ("vectors", {**V, "quantization_config": {"binary": None}}, {"": {**V, "quantization_config": {"binary": {}}}}),
    ],
)
def test_values_are_brought_to_their_type(option: str, given: Any, meant: Any) -> None:
    assert getattr(desired(**{option: given}), option) == meant


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"name": None}, "name is None; it is a text"),
        ({"name": True}, "name is True; it is a text"),
        ({"vectors": 3}, "c: vectors is 3; it is a dictionary"),
        ({"vectors": [V]}, "c: vectors is ["),
        ({"metadata": [1]}, "c: metadata is [1]; it is a dictionary"),
        ({"metadata": {"a": {1, 2}}}, "c: metadata.a is {1, 2}, which JSON cannot carry"),
        ({"shard_number": 1.5}, "c: shard_number is 1.5; it is a whole number"),
        ({"shard_number": True}, "c: shard_number is True; it is a whole number"),
        ({"backup": "perhaps"}, "c: backup is 'perhaps'; it is true or false"),
        ({"state": "gone"}, "c: state is 'gone'; it is one of present, absent"),
        ({"aliases": {"live": 1}}, "c: aliases is {'live': 1}; it is a list of texts"),
        ({"aliases": [None]}, "c: aliases is None; it is a text"),
        ({"payload_indexes": ["a"]}, "c: payload_indexes is ['a']; it is a dictionary"),
        ({"payload_indexes": {"f": [1]}}, "c: payload_indexes.f has the type [1]; it is one of"),
        ({"payload_indexes": {"f": {"type": {}}}}, "c: payload_indexes.f has the type {}; it is one of"),
        *(
            ({"payload_indexes": {path: "keyword"}}, f"c: payload_indexes has {path!r}, which is no path of a payload")
            for path in ("", " a", "a b", "a[b", "a.", ".a", "a..b", "[]", "a/b", '"a', "a[-1]")
        ),
        (
            {"payload_indexes": {"t": {"type": "text", "stemmer": {"type": "snowball", "language": "klingon"}}}},
            "c: payload_indexes.t.stemmer.language is 'klingon'; it is one of arabic",
        ),
        (
            {"payload_indexes": {"t": {"type": "text", "stemmer": "english"}}},
            "c: payload_indexes.t.stemmer is 'english'; it is a dictionary of language, type",
        ),
        (
            {"payload_indexes": {"t": {"type": "text", "stopwords": "klingon"}}},
            "c: payload_indexes.t.stopwords has the language 'klingon'; it is one of arabic",
        ),
        (
            {"payload_indexes": {"t": {"type": "text", "stopwords": {"custom": "a"}}}},
            "c: payload_indexes.t.stopwords.custom is 'a'; it is a list of texts",
        ),
        ({"payload_indexes": {"t": {"type": "text", "stopwords": 3}}}, "c: payload_indexes.t.stopwords is 3; it is a"),
        (
            {"payload_indexes": {"i": {"type": "integer", "lookup": False, "range": False}}},
            "c: payload_indexes.i has neither lookup nor range",
        ),
        (
            {"payload_indexes": {"t": {"type": "text", "min_token_len": 5, "max_token_len": 2}}},
            "c: payload_indexes.t.min_token_len is 5, which is more than max_token_len",
        ),
        ({"vectors": {"a": V}, "sparse_vectors": {"a": {}}}, "c: vectors and sparse_vectors both have 'a'"),
        ({"sparse_vectors": {"": {}}}, "c: sparse_vectors has a vector without a name"),
    ],
)
def test_what_is_of_another_type_is_one_sentence(row: dict[str, Any], sentence: str) -> None:
    with pytest.raises(StackError) as caught:
        desired(**row)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("path", ["a", "a.b", "a[]", "a[].b", "a[0].b[]", "ü", "a-b_1", '"q w"', '"q".a', 'a."b/c"'])
def test_paths_of_payload_fields(path: str) -> None:
    stopwords = {"languages": ["german"], "custom": ["x"]}
    index = {"type": "text", "stopwords": stopwords, "stemmer": {"type": "snowball", "language": "german"}}
    assert desired(payload_indexes={path: index}).payload_indexes == {path: index}


@pytest.mark.parametrize(
    "given",
    [
        {"name": "p__recreating"},
        {"name": "p__filled"},
        {"name": "p__building_0a"},
        {"name": "p", "aliases": ["q__filled_0a"]},
        {"name": "p", "metadata": {"planner_memory_rebuilt_from": "q"}},
    ],
)
def test_what_rebuilds_call_their_own_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(StackError, match=r"rebuilds and recreations .*; write another"):
        desired_from_params({"collections": [given]})
    desired_from_params({"collections": [{"name": given["name"], "state": "absent"}]})

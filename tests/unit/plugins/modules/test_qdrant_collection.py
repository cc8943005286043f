# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole module against scripted HTTP: the exact calls, in their order."""

from __future__ import annotations

import socket
from typing import Any, Optional

import pytest
import responses
from responses.matchers import header_matcher, json_params_matcher, query_param_matcher
from responses.registries import OrderedRegistry

from tests.support.run_module import ModuleFailed, run_module

BASE = "http://qdrant.test:6333"
ONE = {"name": "c", "vectors": {"size": 4, "distance": "Cosine"}, "payload_indexes": {"doc": "keyword"}}
scripted = responses.activate(registry=OrderedRegistry, assert_all_requests_are_fired=True)


def ok(result: Any) -> dict[str, Any]:
    return {"result": result, "status": "ok", "time": 0.0}


def info(
    indexes: Optional[dict[str, Any]] = None,
    points: int = 0,
    m: int = 16,
    status: str = "green",
    vectors: Optional[dict[str, Any]] = None,
) -> dict[str, Any]:
    config = {
        "params": {"vectors": vectors or {"size": 4, "distance": "Cosine"}, "on_disk_payload": True},
        "hnsw_config": {"m": m, "ef_construct": 100},
        "optimizer_config": {"indexing_threshold": 10000},
        "quantization_config": None,
    }
    schema = {field: {"data_type": kind, "points": 0} for field, kind in (indexes or {}).items()}
    return ok({"status": status, "points_count": points, "config": config, "payload_schema": schema})


def listed(*names: str) -> None:
    responses.get(f"{BASE}/collections", json=ok({"collections": [{"name": name} for name in names]}))


def aliased(**aliases: str) -> None:
    rows = [{"alias_name": alias, "collection_name": target} for alias, target in aliases.items()]
    responses.get(f"{BASE}/aliases", json=ok({"aliases": rows}))


def counted(name: str, points: int) -> None:
    exact = json_params_matcher({"exact": True})
    responses.post(f"{BASE}/collections/{name}/points/count", match=[exact], json=ok({"count": points}))


def answers_as(version: str) -> None:
    responses.get(f"{BASE}/", json={"title": "qdrant - vector search engine", "version": version})


def read(name: str, **kwargs: Any) -> None:
    responses.get(f"{BASE}/collections/{name}", json=info(**kwargs))


def run(check: bool = False, **params: Any) -> dict[str, Any]:
    return run_module("qdrant_collection", {"url": BASE, **params}, check=check)


def refused(**params: Any) -> str:
    with pytest.raises(ModuleFailed) as caught:
        run(**params)
    return str(caught.value)


@scripted
def test_a_second_run_reads_the_list_and_each_declared_collection_once() -> None:
    listed("c", "d", "not_ours")
    read("c", indexes={"doc": "keyword"})
    read("d")
    result = run(collections=[ONE, {"name": "d", "vectors": {"size": 4, "distance": "Cosine"}}])
    assert (result["changed"], result["actions"]) == (False, [])
    assert result["diff"]["before"] == result["diff"]["after"]


@scripted
def test_creating_writes_the_collection_and_its_indexes_and_reads_back() -> None:
    listed()
    aliased()
    responses.put(
        f"{BASE}/collections/c",
        json=ok(True),
        match=[json_params_matcher({"vectors": {"size": 4, "distance": "Cosine"}})],
    )
    responses.put(
        f"{BASE}/collections/c/index",
        json=ok({"operation_id": 1, "status": "completed"}),
        match=[
            json_params_matcher({"field_name": "doc", "field_schema": "keyword"}),
            query_param_matcher({"wait": "true"}),
        ],
    )
    listed("c")
    read("c", indexes={"doc": "keyword"})
    result = run(**ONE)
    assert result["actions"] == ["create collection c (4 Cosine)", "create payload index c.doc (keyword)"]
    assert result["diff"]["before"] == {"c": None}


@scripted
def test_check_mode_only_reads() -> None:
    listed("c")
    read("c")
    result = run(check=True, **ONE)
    assert (result["changed"], result["actions"]) == (True, ["create payload index c.doc (keyword)"])


@scripted
def test_a_setting_is_patched_in_place() -> None:
    listed("c")
    read("c")
    responses.patch(f"{BASE}/collections/c", json=ok(True), match=[json_params_matcher({"hnsw_config": {"m": 32}})])
    listed("c")
    read("c", m=32)
    result = run(name="c", hnsw_config={"m": 32, "ef_construct": 100})
    assert result["actions"] == ["change collection c: hnsw_config.m 16 -> 32"]


@scripted
def test_a_setting_that_the_server_ignores_is_noticed() -> None:
    listed("c")
    read("c")
    answers_as("1.16.3")
    responses.patch(f"{BASE}/collections/c", json=ok(True))
    listed("c")
    read("c")
    assert "c.hnsw_config.inline_storage: wanted True, seen None" in refused(
        name="c", hnsw_config={"inline_storage": True}
    )


@scripted
@pytest.mark.parametrize(
    ("version", "declared", "sentence"),
    [
        ("1.15.1", {"hnsw_config": {"inline_storage": True}}, "hnsw_config.inline_storage (Qdrant 1.16)"),
        ("1.12.4", {"strict_mode_config": {"enabled": True}}, "strict_mode_config (Qdrant 1.13)"),
        ("1.18.0", {"vectors": {"size": 4, "distance": "Cosine", "memory": "cold"}}, "vectors.memory (Qdrant 1.19)"),
        ("1.15.0", {"metadata": {"owner": "x"}}, "metadata (Qdrant 1.16)"),
        ("1.17.0", {"quantization_config": {"turbo": {"bits": "bits2"}}}, "quantization_config.turbo (Qdrant 1.18)"),
        (
            "1.18.3",
            {"payload_indexes": {"kind": {"type": "keyword", "prefix": True}}},
            "payload_indexes.kind.prefix (Qdrant 1.19)",
        ),
    ],
)
def test_what_the_server_is_too_old_for_is_told_before_anything_is_written(
    version: str, declared: dict[str, Any], sentence: str
) -> None:
    listed("c")
    read("c")
    answers_as(version)
    message = refused(name="c", **declared)
    assert f"is too old for c: {sentence}, so nothing was touched" in message


@scripted
def test_adding_a_vector_takes_a_server_that_can() -> None:
    listed("c")
    responses.get(f"{BASE}/collections/c", json=info(vectors={"a": {"size": 4, "distance": "Dot"}}))
    answers_as("1.17.2")
    assert "a vector that is added (Qdrant 1.18)" in refused(name="c", vectors={"b": {"size": 4, "distance": "Dot"}})


@scripted
def test_a_changed_collection_is_waited_for_until_it_is_green() -> None:
    patch = {"hnsw_config": {"m": 32}}
    listed("c")
    read("c")
    responses.patch(f"{BASE}/collections/c", json=ok(True), match=[json_params_matcher(patch)])
    listed("c")
    for status in ("yellow", "yellow", "green"):
        responses.get(f"{BASE}/collections/c", json=info(m=32, status=status))
    listed("c")
    read("c", m=32)
    assert run(name="c", **patch)["changed"] is True


@scripted
@pytest.mark.parametrize(
    ("status", "more", "sentence"),
    [
        ("yellow", {"wait_timeout": 0}, "collection c is still yellow after 0 s; its settings are in"),
        ("red", {}, "collection c is red: its optimizer has failed"),
    ],
)
def test_a_collection_that_does_not_become_green_is_told(status: str, more: dict[str, Any], sentence: str) -> None:
    listed("c")
    read("c")
    responses.patch(f"{BASE}/collections/c", json=ok(True))
    listed("c")
    responses.get(f"{BASE}/collections/c", json=info(m=32, status=status))
    responses.get(f"{BASE}/collections/c", json=info(m=32, status=status))
    assert sentence in refused(name="c", hnsw_config={"m": 32}, **more)


@scripted
def test_nobody_waits_who_does_not_want_to() -> None:
    listed("c")
    read("c")
    responses.patch(f"{BASE}/collections/c", json=ok(True))
    listed("c")
    responses.get(f"{BASE}/collections/c", json=info(m=32, status="yellow"))
    assert run(name="c", hnsw_config={"m": 32}, wait=False)["changed"] is True


@scripted
def test_an_alias_named_as_a_collection_is_refused() -> None:
    listed("c", "d")
    aliased()
    read("c")
    assert "aliases has 'd', which is a collection on the server" in refused(name="c", aliases=["d"])


@scripted
def test_a_name_that_is_an_alias_of_something_else_is_refused() -> None:
    listed("real")
    aliased(c="real")
    assert "name is 'c', which is an alias of 'real' on the server" in refused(**ONE)


@scripted
def test_an_index_of_another_type_is_deleted_first() -> None:
    listed("c")
    read("c", indexes={"a.b[]": "text"})
    responses.delete(f"{BASE}/collections/c/index/a.b%5B%5D", json=ok({"status": "completed"}))
    responses.put(f"{BASE}/collections/c/index", json=ok({"status": "completed"}))
    listed("c")
    read("c", indexes={"a.b[]": "keyword"})
    assert run(name="c", payload_indexes={"a.b[]": "keyword"})["actions"] == [
        "rebuild payload index c.a.b[] (text -> keyword)"
    ]


@scripted
def test_deleting_takes_a_snapshot_first_and_names_it() -> None:
    listed("c")
    aliased()
    # What the server shows may be some off, so it is counted before and again.
    read("c", points=4)
    counted("c", 3)
    responses.post(f"{BASE}/collections/c/snapshots", json=ok({"name": "c-1.snapshot"}))
    aliased()
    counted("c", 3)
    responses.delete(f"{BASE}/collections/c", json=ok(True))
    listed()
    result = run(name="c", state="absent", confirm_data_loss="c")
    assert result["snapshots"] == {"c": "c-1.snapshot"}
    assert result["collections"] == {"c": None}


@scripted
def test_a_number_of_points_that_the_server_leaves_open_does_not_pass_for_none() -> None:
    listed("c")
    aliased()
    read("c", points=None)  # type: ignore[arg-type]
    counted("c", 7)
    assert "holds 7 points, which state: absent would destroy" in refused(name="c", state="absent")


@pytest.mark.parametrize(
    ("points", "pointing", "sentence"),
    [
        (4, {}, "c was not deleted, because c holds 4 points now and held 3 before"),
        (3, {"live": "c"}, "c was not deleted, because alias live points to c now"),
        (3, {"c": "d"}, "c was not deleted, because c is an alias of d now"),
        (None, {}, "c was not deleted, because c is not there any more"),
    ],
)
@scripted
def test_nothing_is_deleted_that_is_not_as_it_was_when_that_was_decided(
    points: Optional[int], pointing: dict[str, str], sentence: str
) -> None:
    listed("c")
    aliased()
    read("c", points=3)
    counted("c", 3)
    aliased(**pointing)
    if points is None:
        gone = {"status": {"error": "Not found: Collection `c` doesn't exist!"}}
        responses.post(f"{BASE}/collections/c/points/count", status=404, json=gone)
    else:
        counted("c", points)
    assert sentence in refused(name="c", state="absent", confirm_data_loss="c", backup=False)


@scripted
def test_nothing_is_deleted_when_the_snapshot_fails() -> None:
    listed("c")
    aliased()
    read("c", points=3)
    counted("c", 3)
    responses.post(f"{BASE}/collections/c/snapshots", status=500, json={"status": {"error": "disk full"}})
    message = refused(name="c", state="absent", confirm_data_loss="c")
    assert "'c' was not touched" in message and "disk full" in message and "backup: false" in message


@scripted
def test_deleting_what_is_not_there_reads_the_list_only() -> None:
    listed("d")
    assert run(name="c", state="absent")["changed"] is False


@scripted
def test_the_api_key_is_sent_and_never_told() -> None:
    responses.get(
        f"{BASE}/collections",
        status=403,
        body="canary-key is not allowed",
        match=[header_matcher({"api-key": "canary-key"})],
    )
    message = refused(**ONE, api_key="canary-key")
    assert "answered 403" in message and "check api_key" in message and "canary-key" not in message


@scripted
def test_a_server_that_wants_a_key_is_told_so() -> None:
    responses.get(f"{BASE}/collections", status=401, body="Must provide an API key or an Authorization bearer token")
    assert "the server wants an API key: set api_key" in refused(**ONE)


@scripted
def test_html_instead_of_json_is_one_sentence() -> None:
    responses.get(f"{BASE}/collections", body="<html>hello</html>", content_type="text/html")
    assert "expected JSON, got text/html: 'hello'" in refused(**ONE)


@scripted
def test_json_of_something_else_is_one_sentence() -> None:
    responses.get(f"{BASE}/collections", json={"hello": "world"})
    assert "check that url is Qdrant's REST interface" in refused(**ONE)


@scripted
def test_the_servers_own_words_come_through() -> None:
    listed()
    aliased()
    responses.put(
        f"{BASE}/collections/c", status=400, json={"status": {"error": "Wrong input: Alias with the same name"}}
    )
    assert refused(**ONE) == "PUT /collections/c answered 400: Wrong input: Alias with the same name"


def test_a_server_that_is_planned_is_taken_as_empty_in_check_mode_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        given = {**ONE, "url": f"http://127.0.0.1:{closed.getsockname()[1]}", "assume_empty_if_unreachable": True}
        result = run(check=True, **given)
        assert result["actions"][0] == "create collection c (4 Cosine)"
        assert "planned as for a server without collections" in str(result["warnings"])
        assert "got no answer" in refused(**given)


def test_a_server_that_is_there_and_stalls_is_not_taken_for_one_to_come() -> None:
    with socket.create_server(("127.0.0.1", 0)) as stalled:
        url = f"http://127.0.0.1:{stalled.getsockname()[1]}"
        assert "timed out" in refused(check=True, **ONE, url=url, timeout=0.2, assume_empty_if_unreachable=True)


@scripted
@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        (
            {"name": "c", "vectors": {"size": 0, "distance": "Cosine"}},
            "c: vectors.size is 0; it is a whole number from 1 to",
        ),
        ({"name": "c", "vectors": {"size": "big", "distance": "Dot"}}, "c: vectors.size is 'big'"),
        ({"name": "c", "vectors": {"size": 4, "distance": "Cosin"}}, "c: vectors.distance is 'Cosin'; it is one of"),
        ({"name": "c", "vectors": {"size": 4}}, "c: vectors has no distance; give a size and a distance"),
        ({"name": "c", "vectors": {}}, "c: vectors has no size"),
        ({"name": "c", "vectors": {"t": {"size": 4}}}, "c: vectors.t has no distance"),
        ({"name": "c", "vectors": {"size": 4, "distance": "Dot", "m": 1}}, "c: vectors has the unknown key 'm'"),
        (
            {"name": "c", "payload_indexes": {"x": "strange"}},
            "c: payload_indexes.x has the type 'strange'; it is one of",
        ),
        ({"name": "a/b"}, "a collection's name cannot contain '/'"),
        ({"name": ""}, "a collection's name has 1 to 255 characters"),
        ({"collections": [{"name": "a"}, {"name": "a"}]}, "collections has 'a' 2 times"),
        (
            {"collections": [{"name": "a", "aliases": ["b"]}, {"name": "b"}]},
            "a: aliases has 'b', which is a collection",
        ),
        (
            {"collections": [{"name": "a", "aliases": ["x"]}, {"name": "b", "aliases": ["x"]}]},
            "aliases has 'x' 2 times; an alias has one collection",
        ),
        ({"name": "c", "aliases": ["a/b"]}, "c: aliases is 'a/b'; an alias cannot contain '/'"),
        ({"name": "c", "hnsw_config": {"mm": 1}}, "c: hnsw_config has the unknown key 'mm'; it takes ef_construct"),
        (
            {"name": "c", "hnsw_config": {"ef_construct": 1}},
            "c: hnsw_config.ef_construct is 1; it is a whole number of 4",
        ),
        ({"name": "c", "shard_number": 0}, "c: shard_number is 0; it is a number of 1 or more"),
        ({"name": "c", "wal_config": {"wal_capacity_mb": 0}}, "c: wal_config.wal_capacity_mb is 0"),
        ({"name": "c", "quantization_config": {"magic": {}}}, "c: quantization_config has the unknown key 'magic'"),
        (
            {"name": "c", "quantization_config": {"binary": {}, "scalar": {}}},
            "c: quantization_config has binary and scalar; a collection has one method",
        ),
        ({"name": "c", "quantization_config": {"product": {}}}, "c: quantization_config.product has no compression"),
        (
            {"name": "c", "payload_indexes": {"x": {"type": "keyword", "tokenizer": "word"}}},
            "c: payload_indexes.x has the unknown key 'tokenizer'",
        ),
        ({"name": "c", "sparse_vectors": {"w": {"modifier": "odd"}}}, "c: sparse_vectors.w.modifier is 'odd'"),
        ({"name": "c", "drop_old": True}, "c: drop_old is true without on_immutable: rebuild"),
        ({"name": "c", "timeout": 0}, "timeout is 0.0; it is a number of seconds above 0"),
        ({"name": "c", "wait_timeout": -1}, "wait_timeout is -1; it is 0 or more seconds"),
        ({"name": "c", "retries": -1}, "retries is -1; it is 0 or more"),
        ({"collections": [], "hnsw_config": {"m": 1}}, "hnsw_config stands beside collections"),
        ({}, "one of the following is required: name, collections"),
    ],
)
def test_bad_input_is_one_sentence_before_anything_is_contacted(params: dict[str, Any], sentence: str) -> None:
    assert sentence in refused(**params)


@scripted
def test_a_collection_to_be_made_needs_vectors() -> None:
    listed()
    aliased()
    assert "'c' does not exist and vectors is not given" in refused(name="c")


@scripted
def test_a_url_without_scheme_or_of_something_else_says_the_way_out() -> None:
    with pytest.raises(ModuleFailed) as caught:
        run_module("qdrant_collection", {**ONE, "url": "qdrant.test:6333"})
    assert caught.value.result["msg"] == (
        "url is 'qdrant.test:6333', which has no scheme; write it as http://qdrant.test:6333 or with https://"
    )
    responses.get(f"{BASE}/collections", body="<html>Hello</html>", content_type="text/html")
    with pytest.raises(ModuleFailed) as caught:
        run_module("qdrant_collection", {**ONE, "url": BASE})
    assert "expected JSON, got text/html" in caught.value.result["msg"]
    assert caught.value.result["msg"].endswith("; check that url is Qdrant's REST interface")

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module on the live stand-in: Qdrant's engine behind Qdrant's REST interface."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.support.containers import Container, docker
from tests.support.law import Law
from tests.support.run_module import ModuleFailed, run_module

IMAGE = "qdrant/qdrant:v1.19.0"
KEY = "contract-key"
ROLE_DEFAULTS = Path(__file__).resolve().parents[2] / "roles/qdrant/defaults/main.yml"
SPECIFIED = yaml.safe_load(ROLE_DEFAULTS.read_text())["qdrant_collections"]
SMALL = {"size": 4, "distance": "Cosine"}


class Server:
    """The server, read and changed without any code under test."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self.session = requests.Session()
        self.session.headers["api-key"] = KEY

    @property
    def url(self) -> str:
        return f"http://{self.container.host}:{self.container.port(6333)}"

    def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.session.request(method, self.url + path, json=body, timeout=120)
        answer.raise_for_status()
        return answer.json()["result"]

    def everything(self) -> dict[str, Any]:
        names = sorted(row["name"] for row in self.call("GET", "/collections")["collections"])
        return {name: self.call("GET", f"/collections/{name}") for name in names}

    def ready(self) -> bool:
        return requests.get(f"{self.url}/readyz", timeout=2).ok

    def params(self, **more: Any) -> dict[str, Any]:
        # A busy machine may take its time over a snapshot.
        return {"url": self.url, "api_key": KEY, "timeout": 120, **more}


@pytest.fixture(scope="module")
def server(container: Callable[..., Container]) -> Server:
    env = {"QDRANT__SERVICE__API_KEY": KEY, "QDRANT__SERVICE__READ_ONLY_API_KEY": "canary-reads"}
    found = Server(container(IMAGE, env=env, ports=[6333]))
    found.container.wait(found.ready)
    return found


def test_the_law_for_a_collection_with_everything(server: Server) -> None:
    one = {
        "name": "law",
        "vectors": {**SMALL, "on_disk": False},
        "on_disk_payload": True,
        "hnsw_config": {"m": 16},
        "optimizers_config": {"indexing_threshold": 20000},
        "quantization_config": {"scalar": {"type": "int8"}},
        "payload_indexes": {"kind": "keyword", "at": "datetime", "text": {"type": "text", "lowercase": True}},
    }
    two = {
        "name": "law",
        "vectors": {**SMALL, "on_disk": True, "hnsw_config": {"m": 8}},
        "on_disk_payload": False,
        "hnsw_config": {"m": 32, "ef_construct": 200},
        "optimizers_config": {"indexing_threshold": 30000},
        "quantization_config": {},
        "payload_indexes": {"kind": "integer", "text": {"type": "text", "lowercase": True}},
        "prune_indexes": True,
    }
    Law(
        module="qdrant_collection",
        create=server.params(**one),
        update=server.params(**two),
        delete=server.params(name="law", state="absent"),
        independent_read=server.everything,
        drift=lambda: server.call("PATCH", "/collections/law", {"hnsw_config": {"m": 64}}) and None,
        drift_words="hnsw_config.m 64 -> 32",
    ).hold()


def test_the_law_for_named_vectors_and_a_lost_index(server: Server) -> None:
    vectors = {"image": {"size": 3, "distance": "Dot"}, "caption": {**SMALL, "on_disk": True}}
    Law(
        module="qdrant_collection",
        create=server.params(name="named", vectors=vectors, payload_indexes={"kind": "keyword"}),
        delete=server.params(name="named", state="absent"),
        independent_read=server.everything,
        drift=lambda: server.call("DELETE", "/collections/named/index/kind?wait=true") and None,
        drift_words="create payload index named.kind (keyword)",
    ).hold()


def test_the_law_for_the_specified_collections_in_one_list(server: Server) -> None:
    Law(
        module="qdrant_collection",
        create=server.params(collections=SPECIFIED),
        delete=server.params(collections=[{"name": one["name"], "state": "absent"} for one in SPECIFIED]),
        independent_read=server.everything,
        drift=lambda: server.call("DELETE", "/collections/events") and None,
        drift_words="create collection events (1536 Cosine)",
    ).hold()


def test_points_survive_every_change_in_place_and_go_only_after_two_words(server: Server) -> None:
    run_module("qdrant_collection", server.params(name="kept", vectors=SMALL))
    points = [{"id": number, "vector": [number, 1, 0, 0], "payload": {"kind": "a"}} for number in range(5)]
    server.call("PUT", "/collections/kept/points?wait=true", {"points": points})

    changed = run_module(
        "qdrant_collection",
        server.params(name="kept", hnsw_config={"m": 24}, payload_indexes={"kind": "keyword"}),
    )
    assert changed["actions"] == [
        "change collection kept: hnsw_config.m 16 -> 24",
        "create payload index kept.kind (keyword)",
    ]
    with pytest.raises(ModuleFailed, match=r"vectors.size is 4, wanted 8 \(5 points would be lost\)"):
        run_module("qdrant_collection", server.params(name="kept", vectors={**SMALL, "size": 8}))
    with pytest.raises(ModuleFailed, match="holds 5 points"):
        run_module("qdrant_collection", server.params(name="kept", state="absent"))
    assert server.call("POST", "/collections/kept/points/count", {"exact": True}) == {"count": 5}

    gone = run_module("qdrant_collection", server.params(name="kept", state="absent", confirm_data_loss="kept"))
    snapshot = f"file:///qdrant/snapshots/kept/{gone['snapshots']['kept']}"
    assert "kept" not in server.everything()
    server.call("PUT", "/collections/kept/snapshots/recover?wait=true", {"location": snapshot})
    assert server.call("POST", "/collections/kept/points/count", {"exact": True}) == {"count": 5}
    server.call("DELETE", "/collections/kept")


class Reader(threading.Thread):
    """Counts and searches through an alias as fast as it can, and remembers every answer that was not the right one."""

    def __init__(self, server: Server, alias: str, points: int) -> None:
        super().__init__(daemon=True)
        self.url = f"{server.url}/collections/{alias}/points"
        self.points = points
        self.done = threading.Event()
        self.answers = 0
        self.wrong: list[str] = []

    def run(self) -> None:
        session = requests.Session()
        session.headers["api-key"] = KEY
        while not self.done.is_set():
            counted = session.post(f"{self.url}/count", json={"exact": True}, timeout=120)
            found = session.post(f"{self.url}/query", json={"query": [1, 1, 0, 0], "limit": 3}, timeout=120)
            self.answers += 2
            if not counted.ok or counted.json()["result"]["count"] != self.points:
                self.wrong.append(f"{counted.status_code}: {counted.text[:200]}")
            if not found.ok or len(found.json()["result"]["points"]) != 3:
                self.wrong.append(f"{found.status_code}: {found.text[:200]}")

    def goes_on(self) -> None:
        """Wait for answers to questions that it asks from now on."""
        seen = self.answers
        while self.answers < seen + 10:
            assert self.is_alive(), self.wrong
            time.sleep(0.01)


def test_a_rebuild_under_load_is_seen_by_no_reader(server: Server) -> None:
    number = 2000
    declared = {"name": "busy", "vectors": SMALL, "payload_indexes": {"kind": "keyword"}, "aliases": ["busy_live"]}
    run_module("qdrant_collection", server.params(**declared))
    points = [{"id": one, "vector": [one, 1, 0, 0], "payload": {"kind": f"k{one % 7}"}} for one in range(number)]
    for start in range(0, number, 500):
        server.call("PUT", "/collections/busy/points?wait=true", {"points": points[start : start + 500]})
    everything = {"limit": number, "with_payload": True, "with_vector": True}
    before = server.call("POST", "/collections/busy_live/points/scroll", everything)["points"]
    reader = Reader(server, "busy_live", number)
    reader.start()
    try:
        reader.goes_on()
        wanted = {**declared, "vectors": {**SMALL, "distance": "Dot"}, "on_immutable": "rebuild"}
        rebuilt = run_module("qdrant_collection", server.params(**wanted))
        reader.goes_on()
        dropped = run_module("qdrant_collection", server.params(**wanted, drop_old=True))
        reader.goes_on()
    finally:
        reader.done.set()
        reader.join(120)
    assert f"copy {number} points from busy to busy__v2 and compare the counts" in rebuilt["actions"]
    assert f"delete old collection busy ({number} points)" in dropped["actions"]
    assert reader.wrong == []
    assert server.call("POST", "/collections/busy/points/count", {"exact": True}) == {"count": number}
    assert server.call("POST", "/collections/busy_live/points/scroll", everything)["points"] == before
    gone = {"name": "busy", "state": "absent", "confirm_data_loss": "busy"}
    run_module("qdrant_collection", server.params(**gone))
    assert not [name for name in server.everything() if name.startswith("busy")]


def test_a_snapshot_goes_to_a_file_and_comes_back(server: Server, tmp_path: Path) -> None:
    run_module("qdrant_collection", server.params(name="saved", vectors=SMALL))
    server.call("PUT", "/collections/saved/points?wait=true", {"points": [{"id": 1, "vector": [1, 0, 0, 0]}]})
    dest = str(tmp_path / "saved.snapshot")
    made = run_module("qdrant_snapshot", server.params(collection="saved", dest=dest))
    assert made["created"] == made["snapshots"][-1]["name"]
    again = run_module("qdrant_snapshot", server.params(collection="saved", newer_than="1h", dest=dest, keep=1))
    assert again["changed"] is False
    server.call("DELETE", "/collections/saved")
    run_module("qdrant_snapshot", server.params(collection="saved", state="restored", src=dest))
    assert server.call("POST", "/collections/saved/points/count", {"exact": True}) == {"count": 1}
    server.call("POST", "/collections/saved/points/delete?wait=true", {"points": [1]})
    name = {"state": "restored", "name": made["created"]}
    run_module("qdrant_snapshot", server.params(collection="saved", **name))
    assert server.call("POST", "/collections/saved/points/count", {"exact": True}) == {"count": 1}
    server.call("DELETE", "/collections/saved")


def test_the_law_for_an_alias_and_what_is_there(server: Server) -> None:
    for name in ("left", "right"):
        server.call("PUT", f"/collections/{name}", {"vectors": SMALL})

    def aliases() -> list[tuple[str, str]]:
        rows = server.call("GET", "/aliases")["aliases"]
        return sorted((row["alias_name"], row["collection_name"]) for row in rows)

    def move() -> None:
        action = {"create_alias": {"alias_name": "way", "collection_name": "left"}}
        server.call("POST", "/collections/aliases", {"actions": [action]})

    Law(
        module="qdrant_alias",
        create=server.params(name="way", collection="left"),
        update=server.params(name="way", collection="right"),
        delete=server.params(name="way", state="absent"),
        independent_read=aliases,
        drift=move,
        drift_words="move alias way from left to right",
    ).hold()
    found = run_module("qdrant_collection_info", server.params(names=["left", "gone"]))
    assert (list(found["collections"]), found["collections"]["left"]["status"]) == (["left"], "green")
    for name in ("left", "right"):
        server.call("DELETE", f"/collections/{name}")


def test_the_script_and_the_module_agree(server: Server) -> None:
    script = [sys.executable, str(ROLE_DEFAULTS.parents[1] / "files/setup_collections.py"), "--url", server.url]

    def run(*more: str, key: str = KEY) -> tuple[int, str, str]:
        environment = {**os.environ, "QDRANT_API_KEY": key}
        done = subprocess.run([*script, *more], capture_output=True, text=True, env=environment, check=False)
        return done.returncode, done.stdout, done.stderr

    assert run("--check")[0] == 3
    assert run()[0] == 0
    assert run("--check")[:2] == (0, "nothing to do\n")
    assert run_module("qdrant_collection", server.params(collections=SPECIFIED))["changed"] is False
    code, _out, told = run(key="canary-wrong")
    assert (code, "canary-wrong" in told) == (1, False)
    assert "answered 401: Invalid API key or JWT; check api_key" in told
    for one in SPECIFIED:
        server.call("DELETE", f"/collections/{one['name']}")


def test_everything_is_there_after_a_restart_and_after_a_kill(server: Server) -> None:
    run_module("qdrant_collection", server.params(name="lasting", vectors=SMALL, payload_indexes={"kind": "keyword"}))
    alias = {"create_alias": {"collection_name": "lasting", "alias_name": "current"}}
    server.call("POST", "/collections/aliases", {"actions": [alias]})
    for number, signal in enumerate(("TERM", "KILL"), 1):
        point = {"id": number, "vector": [number, 1, 0, 0], "payload": {"kind": "a"}}
        server.call("PUT", "/collections/lasting/points?wait=true", {"points": [point]})
        before = server.call("GET", "/collections/current")
        docker("kill", "--signal", signal, server.container.name)
        docker("wait", server.container.name)
        docker("start", server.container.name)
        server.container.wait(server.ready)
        after = server.call("GET", "/collections/current")
        assert (after["points_count"], after["payload_schema"]) == (number, before["payload_schema"])
    server.call("DELETE", "/collections/lasting")


@pytest.fixture
def guarded(server: Server) -> Iterator[Server]:
    """A server with something on it, of which nothing may have changed in the end."""
    server.call("PUT", "/collections/kept", {"vectors": SMALL})
    server.call("PUT", "/collections/other", {"vectors": SMALL})
    before = server.everything(), server.call("GET", "/aliases")
    yield server
    assert (server.everything(), server.call("GET", "/aliases")) == before
    for name in ("kept", "other"):
        server.call("DELETE", f"/collections/{name}")


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"name": "n", "vectors": {**SMALL, "size": 0}}, "n: vectors.size is 0; it is a whole number from 1 to 65536"),
        ({"name": "n", "vectors": {**SMALL, "distance": "Far"}}, "n: vectors.distance is 'Far'; it is one of Cosine"),
        ({"name": "kept", "payload_indexes": {"f": "odd"}}, "kept: payload_indexes.f has the type 'odd'; it is one of"),
        ({"collections": [{"name": "n", "vectors": SMALL}] * 2}, "collections has 'n' 2 times"),
        ({"name": "kept", "aliases": ["other"]}, "kept: aliases has 'other', which is a collection on the server"),
        (
            {"collections": [{"name": "n", "vectors": SMALL}, {"name": "kept", "aliases": ["n"]}]},
            "kept: aliases has 'n', which is a collection's name",
        ),
        ({"name": "kept", "vectors": {**SMALL, "size": 5}}, "vectors.size is 4, wanted 5"),
        (
            {"name": "n", "vectors": SMALL, "api_key": "canary-wrong"},
            "answered 401: Invalid API key or JWT; check api_key",
        ),
        ({"name": "n", "vectors": SMALL, "api_key": "canary-reads"}, "answered 403: Forbidden; check api_key"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(guarded: Server, params: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ModuleFailed) as caught:
        run_module("qdrant_collection", guarded.params(**params))
    told = str(caught.value)
    assert sentence in told and "\n" not in told
    assert "canary" not in str(caught.value.result)


def test_a_server_that_is_down_is_one_sentence(server: Server) -> None:
    with pytest.raises(ModuleFailed, match=r"GET http://127\.0\.0\.1:9/collections got no answer: .*refused"):
        run_module("qdrant_collection", {"url": "http://127.0.0.1:9", "name": "n", "vectors": SMALL, "retries": 0})


def test_it_says_what_it_is(server: Server) -> None:
    answer = server.session.get(f"{server.url}/", timeout=5).json()
    assert answer["title"].startswith("qdrant stand-in")


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
def test_qdrants_own_client_talks_to_it(server: Server) -> None:
    qdrant_client = pytest.importorskip("qdrant_client")
    from qdrant_client import models

    client = qdrant_client.QdrantClient(url=server.url, api_key=KEY, prefer_grpc=False, timeout=30)
    client.create_collection("sdk", vectors_config=models.VectorParams(size=4, distance=models.Distance.COSINE))
    client.upsert("sdk", [models.PointStruct(id=n, vector=[n, 1.0, 0, 0], payload={"n": n}) for n in range(10)])
    client.create_payload_index("sdk", "n", models.PayloadSchemaType.INTEGER, wait=True)
    only = models.Filter(must=[models.FieldCondition(key="n", range=models.Range(gte=5))])
    assert client.count("sdk", count_filter=only).count == 5
    assert [hit.id for hit in client.query_points("sdk", query=[0.0, 1.0, 0, 0], limit=2).points] == [0, 1]
    records, following = client.scroll("sdk", limit=4)
    assert ([record.id for record in records], following) == ([0, 1, 2, 3], 4)
    assert client.get_collection("sdk").points_count == 10
    assert client.collection_exists("sdk") is True
    made = client.create_snapshot("sdk")
    assert made is not None and [row.name for row in client.list_snapshots("sdk")] == [made.name]
    client.delete("sdk", points_selector=only)
    assert client.count("sdk").count == 5
    assert client.recover_snapshot("sdk", f"file:///qdrant/snapshots/sdk/{made.name}") is True
    assert client.count("sdk").count == 10
    assert client.delete_snapshot("sdk", made.name) is True
    assert client.delete_collection("sdk") is True

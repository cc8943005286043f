# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module on the live stand-in: Qdrant's engine behind Qdrant's REST interface."""

from __future__ import annotations

from collections.abc import Callable
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
        answer = self.session.request(method, self.url + path, json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()["result"]

    def everything(self) -> dict[str, Any]:
        names = sorted(row["name"] for row in self.call("GET", "/collections")["collections"])
        return {name: self.call("GET", f"/collections/{name}") for name in names}

    def ready(self) -> bool:
        return requests.get(f"{self.url}/readyz", timeout=2).ok

    def params(self, **more: Any) -> dict[str, Any]:
        return {"url": self.url, "api_key": KEY, **more}


@pytest.fixture(scope="module")
def server(container: Callable[..., Container]) -> Server:
    found = Server(container(IMAGE, env={"QDRANT__SERVICE__API_KEY": KEY}, ports=[6333]))
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


def test_a_wrong_key_writes_nothing_and_never_shows(server: Server) -> None:
    with pytest.raises(ModuleFailed, match=r"answered 401: .*check api_key") as caught:
        run_module("qdrant_collection", {**server.params(name="never", vectors=SMALL), "api_key": "canary-wrong"})
    assert "canary-wrong" not in str(caught.value.result)
    assert "never" not in server.everything()


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
    assert client.delete_collection("sdk") is True

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers that answer oddly, late, or not at all: one sentence, and nothing done twice."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import responses

from tests.support.run_module import ModuleFailed, run_module

BASE = "http://qdrant.test:6333"
MODULES = {
    "qdrant_collection": {"name": "c", "vectors": {"size": 4, "distance": "Dot"}},
    "qdrant_alias": {"name": "x", "collection": "c"},
    "qdrant_snapshot": {"collection": "c"},
    "qdrant_collection_info": {},
}


def refused(module: str, **params: Any) -> str:
    with pytest.raises(ModuleFailed) as caught:
        run_module(module, {"url": BASE, "retries": 0, **MODULES[module], **params})
    told = str(caught.value.result["msg"])
    assert "\n" not in told
    return told


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("body", [None, {}, [], 3, {"collections": "x"}, {"collections": [1]}, {"aliases": None}])
@responses.activate
def test_a_result_of_another_form_is_one_sentence(module: str, body: Any) -> None:
    for path in ("/collections", "/aliases"):
        responses.get(BASE + path, json={"result": body})
    assert refused(module).endswith("; check that url is Qdrant's REST interface")


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (302, "answered 302: no message; it leads elsewhere: set url to the address of Qdrant's REST interface itself"),
        (404, "answered 404: no message; check that url is Qdrant's REST interface"),
    ],
)
@responses.activate
def test_an_answer_without_words_has_a_way_out(status: int, sentence: str) -> None:
    responses.get(f"{BASE}/collections", status=status)
    assert sentence in refused("qdrant_collection")


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"url": "ftp://x"}, "url is 'ftp://x'; Qdrant's REST interface is reached by http:// or https://"),
        ({"url": ""}, "url is ''; Qdrant's REST interface is reached by"),
        ({"ca_path": "/no/such/file"}, "ca_path is '/no/such/file', which is not there on the target host"),
    ],
)
def test_an_address_that_cannot_be_meant(params: dict[str, Any], sentence: str) -> None:
    assert sentence in refused("qdrant_collection", **params)


class Busy(BaseHTTPRequestHandler):
    """Answers the first write of each kind with what ``first`` says, and then does what it is asked."""

    first: dict[str, int] = {}
    seen: list[str] = []
    there: set[str] = set()

    def log_message(self, *_args: Any) -> None:
        pass

    def _do(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.seen.append(f"{self.command} {self.path}")
        status = self.first.pop(self.command, 200)
        if status in (200, 502):  # a gateway that loses the answer: what was asked is done
            status, result = self._done(status)
        else:
            result = None
        body = json.dumps({"result": result, "status": {"error": "busy"} if status > 200 else "ok"})
        self.send_response(status)
        self.send_header("retry-after", "0")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def _done(self, status: int) -> tuple[int, Any]:
        name = self.path.rpartition("/")[2]
        config = {"params": {"vectors": {"size": 4, "distance": "Dot"}}}
        if self.path == "/collections":
            return status, {"collections": [{"name": one} for one in sorted(self.there)]}
        if self.path == "/aliases":
            return status, {"aliases": []}
        if self.command == "PUT":
            status = 409 if name in self.there else status
            self.there.add(name)
            return status, True
        if self.path.endswith("/points/count"):
            return status, {"count": 0}
        return status, {"config": config, "points_count": 0} if self.command == "GET" else True

    do_GET = do_PUT = do_POST = do_PATCH = _do


@pytest.fixture
def busy() -> Iterator[str]:
    Busy.seen, Busy.there = [], set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Busy)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_collection_whose_answer_was_lost_is_there(busy: str) -> None:
    Busy.first = {"PUT": 502}
    assert run_module("qdrant_collection", {**MODULES["qdrant_collection"], "url": busy})["changed"] is True
    assert Busy.seen.count("PUT /collections/c") == 2


def test_a_collection_that_somebody_else_made_meanwhile_is_an_error(busy: str) -> None:
    Busy.first = {"PUT": 409}
    with pytest.raises(
        ModuleFailed, match=r"another run made c since this one looked \(PUT /collections/c answered 409: busy\); run"
    ):
        run_module("qdrant_collection", {**MODULES["qdrant_collection"], "url": busy})


def test_what_was_turned_away_is_sent_again_and_what_may_be_done_is_not(busy: str) -> None:
    alias = {"name": "x", "collection": "c", "url": busy}
    Busy.there = {"c"}
    Busy.first = {"POST": 503}
    with pytest.raises(ModuleFailed, match="answered 503: busy"):
        run_module("qdrant_alias", alias)
    Busy.seen.clear()
    Busy.first = {"POST": 429}
    with pytest.raises(ModuleFailed, match="every call succeeded, but the live state"):
        run_module("qdrant_alias", alias)
    assert Busy.seen.count("POST /collections/aliases") == 2

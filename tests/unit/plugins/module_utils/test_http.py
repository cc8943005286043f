from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import responses
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import (
    ApiError,
    ReadOnlyError,
    StackError,
    Unreachable,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._http import Http, words_of
from responses.registries import OrderedRegistry

BASE = "http://server.test"


@responses.activate
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_check_mode_refuses_writes_before_anything_is_sent(method: str) -> None:
    with pytest.raises(ReadOnlyError, match=f"{method} /x was attempted in check mode"):
        Http(BASE, read_only=True).request(method, "/x")
    assert len(responses.calls) == 0


@responses.activate
def test_check_mode_lets_a_reading_post_through_and_counts_it_as_a_read() -> None:
    responses.post(f"{BASE}/search", json={"hits": 1})
    client = Http(BASE, read_only=True)
    assert client.post("/search", json={}, reads=True).json == {"hits": 1}
    assert (client.reads_count, client.writes_count) == (1, 0)


@responses.activate(registry=OrderedRegistry, assert_all_requests_are_fired=True)
def test_a_read_is_repeated_while_the_server_is_busy() -> None:
    responses.get(f"{BASE}/x", status=503, headers={"Retry-After": "0"})
    responses.get(f"{BASE}/x", status=429, headers={"Retry-After": "0"})
    responses.get(f"{BASE}/x", json=[])
    assert Http(BASE).get("/x").json == []


class Busy(BaseHTTPRequestHandler):
    """Asks for patience once."""

    asks: list[str] = []

    def do_GET(self) -> None:
        self.send_response(503 if Busy.asks else 200)
        for asked in Busy.asks:
            self.send_header("Retry-After", asked)
        self.send_header("Content-Length", "0")
        self.end_headers()
        Busy.asks = []

    def log_message(self, *args: Any) -> None:
        pass


@pytest.mark.parametrize(("asked", "waited"), [("7", 7), ("86400", 60), ("Fri, 31 Dec 2100 23:59:59 GMT", 60)])
def test_a_server_cannot_make_a_run_wait_for_hours(monkeypatch: pytest.MonkeyPatch, asked: str, waited: float) -> None:
    naps: list[float] = []
    monkeypatch.setattr("time.sleep", naps.append)
    Busy.asks = [asked]
    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        assert Http(f"http://127.0.0.1:{server.server_port}").get("/x").status == 200
        server.shutdown()
    assert naps == [waited]


@responses.activate(registry=OrderedRegistry, assert_all_requests_are_fired=True)
def test_a_post_is_sent_once_however_busy_the_server_is() -> None:
    responses.post(f"{BASE}/x", status=503, json={"message": "busy"})
    with pytest.raises(ApiError, match="POST /x answered 503: busy"):
        Http(BASE).post("/x", json={})


@responses.activate(registry=OrderedRegistry, assert_all_requests_are_fired=True)
def test_a_post_that_only_reads_is_repeated_as_a_get_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    for status in (503, 429, 502):
        responses.post(f"{BASE}/scroll", status=status, headers={"Retry-After": "0"})
    responses.post(f"{BASE}/scroll", json={"points": []})
    responses.post(f"{BASE}/login", status=429)
    responses.post(f"{BASE}/scroll", status=503, json={"message": "busy"})
    client = Http(BASE)
    assert client.post("/scroll", json={}, reads=True).json == {"points": []}
    assert client.post("/login", expect=(200, 429), reads=True).status == 429
    with pytest.raises(ApiError, match="POST /scroll answered 503: busy"):
        Http(BASE, retries=0).post("/scroll", reads=True)


def test_the_first_repeat_is_at_once_and_the_next_after_a_second_doubling(monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[float] = []
    monkeypatch.setattr("time.sleep", naps.append)
    with responses.RequestsMock() as busy:
        busy.post(f"{BASE}/scroll", status=503)
        with pytest.raises(ApiError, match="503"):
            Http(BASE, retries=4).post("/scroll", reads=True)
        assert len(busy.calls) == 5
    assert naps == [1.0, 2.0, 4.0]


@responses.activate
def test_an_error_carries_status_path_and_the_servers_words() -> None:
    responses.get(f"{BASE}/x", status=404, json={"status": {"error": "no such thing"}})
    client = Http(BASE, explain=lambda body: body["status"]["error"])
    with pytest.raises(ApiError) as caught:
        client.get("/x")
    assert caught.value.status == 404
    assert caught.value.details == {"method": "GET", "path": "/x", "status": 404}
    assert str(caught.value) == "GET /x answered 404: no such thing"


@responses.activate
def test_secrets_are_masked_in_what_the_server_echoes() -> None:
    responses.get(f"{BASE}/x", status=401, body="key canary-1234 is not valid")
    with pytest.raises(ApiError) as caught:
        Http(BASE, headers={"api-key": "canary-1234"}, secrets=["canary-1234"]).get("/x")
    assert "canary-1234" not in str(caught.value) and "***" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>",
            "502 Bad Gateway",
        ),
        (
            "<!DOCTYPE html>\n<pre>Error: too large<br> &nbsp; &nbsp;at read (/x.js:1)<br> &nbsp; &nbsp;at y</pre>",
            "Error: too large",
        ),
        ("<html><head><title>Shop</title><script>let a = 1 < 2</script></head></html>", "Shop"),
        ("<p>a &amp; b</p>", "a & b"),
        ("1 < 2 and <b> stays", "1 < 2 and <b> stays"),
        ("<none>", "<none>"),
    ],
)
def test_a_page_is_told_by_its_words(text: str, words: str) -> None:
    assert words_of(text) == words


@responses.activate
def test_html_where_json_belongs_is_an_error_that_shows_it() -> None:
    responses.get(f"{BASE}/x", body="n8n is starting up. Please wait", content_type="text/html")
    answer = Http(BASE).get("/x")
    with pytest.raises(ApiError, match="expected JSON, got text/html"):
        assert answer.json


def test_a_refused_connection_is_one_sentence() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable) as caught:
            Http(f"http://127.0.0.1:{closed.getsockname()[1]}", retries=0).get("/x")
    assert str(caught.value).endswith("Connection refused") and "0x" not in str(caught.value)


@pytest.mark.parametrize("value", ["canary-1\n", " canary-1", "canary-ä"])
def test_a_header_that_cannot_be_sent_is_told_without_its_value(value: str) -> None:
    with pytest.raises(StackError, match="what is to be sent as api-key has") as caught:
        Http(BASE, headers={"api-key": value}, secrets=[value])
    assert "canary" not in str(caught.value)


def test_of_two_secrets_that_begin_alike_nothing_is_left() -> None:
    assert Http(BASE, secrets=["abc", "abcdef"]).mask("key abcdef") == "key ***"

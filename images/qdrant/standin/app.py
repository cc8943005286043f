# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The routes."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import re
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Optional, Union
from urllib.parse import unquote

import qdrant_edge as edge
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response

from standin import SERVER_VERSION, TITLE, convert, points, uploads
from standin import config as configs
from standin.booleans import resolved
from standin.errors import RestError, bad_request, wrong_input
from standin.store import Collection, Store
from standin.validation import SearchRequest, SearchRequestBatch, checked, is_point_id, models

FLUSH_SECONDS = 5.0
LARGEST_BODY = 32 * 1024 * 1024
VECTOR_NAME_CONFIG = Union[models.DenseVectorNameConfig, models.SparseVectorNameConfig]
# What only reads although it is a POST.
READS = re.compile(r"/(points|points/(scroll|count|(query|search)(/batch|/groups)?)|facet)/?$")
OPEN_PATHS = {"/healthz": "healthz check passed", "/livez": "healthz check passed", "/readyz": "all shards are ready"}
Handler = Callable[[Store, list[str], Any], Any]


def _body(model: Any, act: Callable[[Collection, dict[str, Any]], Any]) -> Handler:
    """A handler that reads a body of a known form and needs the collection."""

    def handle(store: Store, args: list[str], raw: bytes) -> Any:
        body = checked(raw, model)
        collection = store.get(args[0])
        return act(collection, resolved(collection.shard, body))

    return handle


def _write(model: Any, operation: Callable[[dict[str, Any]], Any]) -> Handler:
    return _body(model, lambda collection, body: collection.write(operation(body))[0])


def _create(store: Store, args: list[str], raw: bytes) -> bool:
    store.create(args[0], checked(raw, models.CreateCollection))
    return True


def _patch(collection: Collection, body: dict[str, Any]) -> bool:
    collection.reconfigure(configs.patched(collection.config, body))
    return True


def _create_index(collection: Collection, body: dict[str, Any]) -> dict[str, Any]:
    schema = body.get("field_schema")
    if schema is None:
        raise bad_request("Can't auto-detect field type, please specify `field_schema` in the request")
    with collection.lock:
        done = collection.write(
            edge.UpdateOperation.create_field_index(body["field_name"], convert.index_schema(schema))
        )
        collection.indexes[body["field_name"]] = configs.without_none(schema)
        collection.save()
    return done[0]


def _delete_index(store: Store, args: list[str], raw: bytes) -> dict[str, Any]:
    collection = store.get(args[0])
    with collection.lock:
        done = collection.write(edge.UpdateOperation.delete_field_index(args[1]))
        collection.indexes.pop(args[1], None)
        collection.save()
    return done[0]


def _add_vector(store: Store, args: list[str], raw: bytes) -> dict[str, Any]:
    collection, name = store.get(args[0]), args[1]
    body = checked(raw, VECTOR_NAME_CONFIG)
    params = collection.config["params"]
    kind, section = ("dense", "vectors") if "dense" in body else ("sparse", "sparse_vectors")
    given = body[kind]
    with collection.lock:
        if name in params.get("sparse_vectors" if kind == "dense" else "vectors", {}):
            raise wrong_input(f"Validation failed: vector '{name}' already exists with different parameters")
        if kind == "dense":
            distance = getattr(edge.Distance, given["distance"])
            operation = edge.UpdateOperation.create_dense_vector(
                name, given["size"], distance, convert.multivector(given), convert.datatype(given)
            )
        else:
            operation = edge.UpdateOperation.create_sparse_vector(name, convert.modifier(given))
        done = collection.write(operation)
        params[section] = {**params.get(section, {}), name: configs.without_none(given)}
        collection.save()
    return done[0]


def _delete_vector(store: Store, args: list[str], raw: bytes) -> dict[str, Any]:
    collection, name = store.get(args[0]), args[1]
    params = collection.config["params"]
    with collection.lock:
        known = name in params["vectors"] or name in params.get("sparse_vectors", {})
        done = collection.write(*([edge.UpdateOperation.delete_vector_name(name)] if known else []))
        params["vectors"].pop(name, None)
        params.get("sparse_vectors", {}).pop(name, None)
        collection.save()
    return done[0] if done else {"operation_id": collection.operation, "status": "completed"}


def _aliases(store: Store, only: Optional[str]) -> dict[str, Any]:
    rows = [(alias, target) for alias, target in store.aliases.items() if only in (None, target)]
    return {"aliases": [{"alias_name": alias, "collection_name": target} for alias, target in rows]}


def _change_aliases(store: Store, args: list[str], raw: bytes) -> bool:
    store.change_aliases(checked(raw, models.ChangeAliasesOperation)["actions"])
    return True


def _get_point(store: Store, args: list[str], raw: bytes) -> dict[str, Any]:
    point_id: Any = int(args[1]) if args[1].isdigit() else args[1]
    if not is_point_id(point_id):
        raise bad_request(f'Can not recognize "{args[1]}" as point id')
    return points.get_one(store.get(args[0]), point_id)


def _cluster_of(store: Store, args: list[str], raw: bytes) -> dict[str, Any]:
    shard = {"shard_id": 0, "points_count": store.get(args[0]).shard.info().points_count, "state": "Active"}
    return {"peer_id": 1, "shard_count": 1, "local_shards": [shard], "remote_shards": [], "shard_transfers": []}


def _delete_snapshot(store: Store, args: list[str], raw: bytes) -> bool:
    store.delete_snapshot(args[0], args[1])
    return True


def _recover(store: Store, args: list[str], raw: bytes) -> bool:
    body = checked(raw, models.SnapshotRecover)
    store.recover(args[0], body["location"], body.get("checksum"), body.get("api_key") or "")
    return True


C, P = "/collections/*", "/collections/*/points"
ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", "/collections"): lambda store, args, raw: {"collections": [{"name": name} for name in store.collections]},
    ("GET", C): lambda store, args, raw: store.get(args[0]).info(),
    ("PUT", C): _create,
    ("PATCH", C): _body(models.UpdateCollection, _patch),
    ("DELETE", C): lambda store, args, raw: store.delete(args[0]),
    ("GET", f"{C}/exists"): lambda store, args, raw: {"exists": store.exists(args[0])},
    ("GET", f"{C}/cluster"): _cluster_of,
    ("PUT", f"{C}/index"): _body(models.CreateFieldIndex, _create_index),
    ("DELETE", f"{C}/index/*"): _delete_index,
    ("PUT", f"{C}/vectors/*"): _add_vector,
    ("DELETE", f"{C}/vectors/*"): _delete_vector,
    ("GET", "/aliases"): lambda store, args, raw: _aliases(store, None),
    ("GET", f"{C}/aliases"): lambda store, args, raw: _aliases(store, args[0]),
    ("POST", "/collections/aliases"): _change_aliases,
    ("PUT", P): _write(models.PointInsertOperations, points.upsert),
    ("POST", P): _body(models.PointRequest, points.get_many),
    ("GET", f"{P}/*"): _get_point,
    ("POST", f"{P}/delete"): _write(models.PointsSelector, points.delete),
    ("POST", f"{P}/payload"): _write(models.SetPayload, points.set_payload),
    ("PUT", f"{P}/payload"): _write(models.SetPayload, points.overwrite_payload),
    ("POST", f"{P}/payload/delete"): _write(models.DeletePayload, points.delete_payload),
    ("POST", f"{P}/payload/clear"): _write(models.PointsSelector, points.clear_payload),
    ("PUT", f"{P}/vectors"): _write(models.UpdateVectors, points.update_vectors),
    ("POST", f"{P}/vectors/delete"): _write(models.DeleteVectors, points.delete_vectors),
    ("POST", f"{P}/batch"): _body(
        models.UpdateOperations, lambda collection, body: collection.write(*points.batch(body))
    ),
    ("POST", f"{P}/scroll"): _body(models.ScrollRequest, points.scroll),
    ("POST", f"{P}/count"): _body(models.CountRequest, points.count),
    ("POST", f"{P}/query"): _body(models.QueryRequest, points.query),
    ("POST", f"{P}/query/batch"): _body(
        models.QueryRequestBatch, lambda collection, body: [points.query(collection, one) for one in body["searches"]]
    ),
    ("POST", f"{P}/query/groups"): _body(models.QueryGroupsRequest, points.query_groups),
    ("POST", f"{P}/search"): _body(SearchRequest, points.search),
    ("POST", f"{P}/search/batch"): _body(
        SearchRequestBatch, lambda collection, body: [points.search(collection, one) for one in body["searches"]]
    ),
    ("POST", f"{C}/facet"): _body(models.FacetRequest, points.facet),
    ("GET", f"{C}/snapshots"): lambda store, args, raw: store.list_snapshots(args[0]),
    ("POST", f"{C}/snapshots"): lambda store, args, raw: store.make_snapshot(args[0]),
    ("DELETE", f"{C}/snapshots/*"): _delete_snapshot,
    ("GET", f"{C}/snapshots/*"): lambda store, args, raw: store.snapshot_file(args[0], args[1]),
    ("POST", f"{C}/snapshots/upload"): uploads.recover,
    ("PUT", f"{C}/snapshots/recover"): _recover,
    ("GET", "/snapshots"): lambda store, args, raw: [],
    ("GET", "/cluster"): lambda store, args, raw: {"status": "disabled"},
    ("GET", "/issues"): lambda store, args, raw: {"issues": []},
}


async def _whole_body(request: Request) -> bytes:
    """Up to as much as the server takes, in its own words where it is more."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > LARGEST_BODY:
            length = request.headers.get("content-length")
            said = f"({length} bytes) is larger than allowed (limit: {LARGEST_BODY} bytes)."
            if length is None:
                said = f"has exceeded limit ({LARGEST_BODY} bytes)."
            raise RestError(400, f"Payload error: JSON payload {said}")
    return bytes(raw)


def _acknowledge(result: Any) -> None:
    """Who does not wait is told that the write will be done; here it has been."""
    for row in result if isinstance(result, list) else [result]:
        if isinstance(row, dict) and "operation_id" in row:
            row["status"] = "acknowledged"


def compile_route(pattern: str) -> re.Pattern[str]:
    return re.compile("".join("([^/]+)" if part == "*" else re.escape(part) for part in re.split(r"(\*)", pattern)))


# Fixed words win over placeholders: /collections/aliases is no collection, …/points/count no point.
TABLE = sorted(
    ((method, compile_route(pattern), pattern.count("*"), handler) for (method, pattern), handler in ROUTES.items()),
    key=lambda row: row[2],
)


def find(method: str, path: str) -> Optional[tuple[Handler, list[str]]]:
    for route_method, pattern, _placeholders, handler in TABLE:
        match = pattern.fullmatch(path) if route_method == method else None
        if match:
            return handler, [unquote(part) for part in match.groups()]
    return None


class StandIn:
    """The ASGI application."""

    def __init__(self, store: Store, api_key: str = "", read_only_api_key: str = "") -> None:
        self.store = store
        self.api_key = api_key
        self.read_only_api_key = read_only_api_key

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            request = Request(scope, receive)
            await (await self._answer(request))(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        started = time.perf_counter()
        method, path = request.method, request.scope["raw_path"].decode("ascii").rstrip("/")
        if method == "GET" and path in OPEN_PATHS:
            return PlainTextResponse(OPEN_PATHS[path])
        refused = self._refuse(request)
        if refused is not None:
            return refused
        if method == "GET" and path == "":
            return JSONResponse({"title": TITLE, "version": SERVER_VERSION, "commit": "stand-in"})
        found = find(method, path)
        if found is None:
            return Response(status_code=404)
        handler, args = found
        try:
            if handler is uploads.recover:
                async with uploads.spooled(request, self.store.snapshots) as raw:
                    result = await run_in_threadpool(self._run, handler, args, raw)
            else:
                result = await run_in_threadpool(self._run, handler, args, await _whole_body(request))
        except RestError as error:
            spent = time.perf_counter() - started
            return JSONResponse({"status": {"error": error.message}, "time": spent}, status_code=error.status)
        if request.query_params.get("wait") != "true":
            _acknowledge(result)
        if isinstance(result, Path):
            return FileResponse(result, media_type="application/octet-stream", filename=result.name)
        return JSONResponse({"result": result, "status": "ok", "time": time.perf_counter() - started})

    def _run(self, handler: Handler, args: list[str], raw: Any) -> Any:
        try:
            return handler(self.store, args, raw)
        except RestError:
            raise
        except Exception as error:
            raise convert.engine_error(error) from error
        except BaseException as error:
            # What the engine did not expect comes as an exception of its own kind.
            if type(error).__name__ != "PanicException":
                raise
            raise RestError(500, f"Service internal error: {error}") from error

    def _refuse(self, request: Request) -> Optional[Response]:
        if not self.api_key:
            return None
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        given = request.headers.get("api-key") or bearer
        if not given:
            return PlainTextResponse("Must provide an API key or an Authorization bearer token", status_code=401)
        if hmac.compare_digest(given.encode(), self.api_key.encode()):
            return None
        if self.read_only_api_key and hmac.compare_digest(given.encode(), self.read_only_api_key.encode()):
            reads = request.method == "GET" or (request.method == "POST" and READS.search(request.url.path))
            return None if reads else PlainTextResponse("Forbidden", status_code=403)
        return PlainTextResponse("Invalid API key or JWT", status_code=401)

    async def _lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        async with self._flushing():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    @contextlib.asynccontextmanager
    async def _flushing(self) -> AsyncIterator[None]:
        async def flush_often() -> None:
            while True:
                await asyncio.sleep(FLUSH_SECONDS)
                await run_in_threadpool(self.store.each, Collection.flush)

        task = asyncio.create_task(flush_often())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await run_in_threadpool(self.store.close)

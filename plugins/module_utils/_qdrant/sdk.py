# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Qdrant by way of its own client: to a server, for the script, or to a folder, for trying out without one.

Nothing on a module's way to a server imports this file: the client costs a second or two.
"""

from __future__ import annotations

import copy
import json as jsonlib
import os
import warnings
from importlib import metadata
from typing import Any, Iterable, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import (
    ApiError,
    ReadOnlyError,
    StackError,
    Unreachable,
    masked,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._http import Answer
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.client import (
    Client,
    checked_url,
    explain,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.model import named
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.schema import Version

SETTINGS_FILE = "planner_memory.json"
HNSW = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000, "max_indexing_threads": 0, "on_disk": False}
OPTIMIZERS = {
    "deleted_threshold": 0.2,
    "vacuum_min_vector_number": 1000,
    "default_segment_number": 2,
    "indexing_threshold": 10000,
    "flush_interval_sec": 5,
}
PARAMS = {"shard_number": 1, "replication_factor": 1, "write_consistency_factor": 1, "on_disk_payload": True}


def library() -> Any:
    """:raises StackError: when it is not there"""
    try:
        import qdrant_client
    except ImportError as error:
        raise StackError(
            f"the Python library qdrant-client cannot be imported ({error}); install it with pip install qdrant-client"
        ) from None
    return qdrant_client


class SdkHttp:
    """A transport over the connection of Qdrant's own client."""

    def __init__(self, client: Any, url: str, *, read_only: bool, secrets: Iterable[str] = ()) -> None:
        # The client closes its connection when nobody holds it any more.
        self._client = client
        self._url = url.rstrip("/")
        self._api = client.http.client
        self._read_only = read_only
        self._secrets = frozenset(secrets)

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Optional[Mapping[str, Any]] = None,
        expect: Iterable[int] = (200,),
        reads: bool = False,
    ) -> Answer:
        from qdrant_client.common.client_exceptions import QdrantException
        from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

        if self._read_only and method != "GET" and not reads:
            raise ReadOnlyError(f"{method} {path}")
        # The client fills placeholders in, and the path has none.
        url = path.replace("{", "{{").replace("}", "}}")
        try:
            body = self._api.request(type_=dict[str, Any], method=method, url=url, json=json, params=dict(params or {}))
        except UnexpectedResponse as error:
            text = error.content.decode(errors="replace")
            try:
                message = explain(jsonlib.loads(text))
            except ValueError:
                message = " ".join(text.split())[:500]
            raise ApiError(method, path, int(error.status_code or 0), self._mask(message)) from None
        except ResponseHandlingException as error:
            source = error.source
            if type(source).__name__ == "ValidationError":
                raise ApiError(method, path, 200, "expected JSON, got something else", "check url") from None
            raise Unreachable(self._mask(f"{method} {self._url}{path} got no answer: {source}")) from None
        except QdrantException as error:
            raise ApiError(method, path, 429, self._mask(str(error))) from None
        return Answer(method, path, 200, {"Content-Type": "application/json"}, jsonlib.dumps(body))

    def _mask(self, text: str) -> str:
        return masked(text, self._secrets)


def connect_sdk(url: str, api_key: Optional[str], timeout: float, *, read_only: bool) -> Client:
    """A server, through Qdrant's own client."""
    checked_url(url)
    made = library().QdrantClient
    with warnings.catch_warnings():
        # That a key goes over plain HTTP: so it does with every module, and on this host that is meant.
        warnings.simplefilter("ignore", UserWarning)
        client = made(
            url=url, api_key=api_key, timeout=max(1, round(timeout)), prefer_grpc=False, check_compatibility=False
        )
    return Client(SdkHttp(client, url, read_only=read_only, secrets=[api_key or ""]), has_key=bool(api_key))


class Embedded(Client):
    """A folder instead of a server.

    Vectors and points are the client's own; settings that it has no use for are kept in a file beside them, so that
    what is declared once is not declared in vain.
    """

    has_snapshots = False

    def __init__(self, path: str, *, read_only: bool) -> None:
        self.has_key = False
        self.path = path
        self.read_only = read_only
        self._library = library()
        self._file = os.path.join(path, SETTINGS_FILE)
        # The client makes the folder, which a prediction must not.
        self._local = None if read_only and not os.path.isdir(path) else self._open()
        self._settings: dict[str, Any] = {}
        if os.path.exists(self._file):
            with open(self._file, encoding="utf-8") as file:
                self._settings = jsonlib.load(file)

    def _open(self) -> Any:
        try:
            return self._library.QdrantClient(path=self.path)
        except (OSError, RuntimeError) as error:
            raise StackError(f"path is {self.path!r}, which cannot be used: {error}") from None

    def close(self) -> None:
        if self._local is not None:
            self._local.close()

    def version(self) -> Version:
        major, minor = metadata.version("qdrant-client").split(".")[:2]
        return int(major), int(minor)

    def list_collections(self) -> list[str]:
        return [] if self._local is None else [row.name for row in self._local.get_collections().collections]

    def aliases(self) -> dict[str, str]:
        rows = [] if self._local is None else self._local.get_aliases().aliases
        return {row.alias_name: row.collection_name for row in rows}

    def collection(self, name: str) -> dict[str, Any]:
        name = self.aliases().get(name, name)
        stored = self._stored(name)
        indexes = {
            field: {"data_type": given if isinstance(given, str) else given["type"]}
            | ({} if isinstance(given, str) else {"params": given})
            for field, given in stored["indexes"].items()
        }
        return {
            "status": "green",
            "points_count": self.count(name),
            "config": stored["config"],
            "payload_schema": indexes,
        }

    def count(self, name: str) -> int:
        return self._local.count(name, exact=True).count

    def create(self, name: str, body: Mapping[str, Any]) -> None:
        models = self._models()
        given = models.CreateCollection(**body)
        self._local.create_collection(
            name,
            vectors_config=given.vectors if given.vectors is not None else {},
            sparse_vectors_config=given.sparse_vectors,
        )
        params = {"vectors": body.get("vectors") or {}, **{key: body.get(key, value) for key, value in PARAMS.items()}}
        params.update({key: body[key] for key in ("sparse_vectors", "sharding_method") if key in body})
        config = {
            "params": params,
            "hnsw_config": {**HNSW, **body.get("hnsw_config", {})},
            "optimizer_config": {**OPTIMIZERS, **body.get("optimizers_config", {})},
            "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0, **body.get("wal_config", {})},
            "quantization_config": body.get("quantization_config"),
            "strict_mode_config": body.get("strict_mode_config"),
            "metadata": body.get("metadata"),
        }
        self._store(name, {"config": config, "indexes": {}})

    def patch(self, name: str, body: Mapping[str, Any]) -> None:
        self._writable()
        stored = self._stored(name)
        config = stored["config"]
        params = config["params"]
        for section, key in (
            ("hnsw_config", "hnsw_config"),
            ("optimizers_config", "optimizer_config"),
            ("strict_mode_config", "strict_mode_config"),
        ):
            if section in body:
                config[key] = {**(config.get(key) or {}), **body[section]}
        params.update(body.get("params", {}))
        _quantize(config, body)
        if "metadata" in body:
            merged = {**(config.get("metadata") or {}), **body["metadata"]}
            config["metadata"] = {key: value for key, value in merged.items() if value is not None}
        vectors = named(params["vectors"])
        for vector, change in body.get("vectors", {}).items():
            vectors[vector].update({key: change[key] for key in ("on_disk", "memory") if key in change})
            if "hnsw_config" in change:
                vectors[vector]["hnsw_config"] = {**vectors[vector].get("hnsw_config", {}), **change["hnsw_config"]}
            _quantize(vectors[vector], change)
        params["vectors"] = vectors[""] if {*vectors} == {""} else vectors
        for vector, change in body.get("sparse_vectors", {}).items():
            sparse = params["sparse_vectors"][vector]
            sparse.update({key: value for key, value in change.items() if key != "index"})
            if "index" in change:
                sparse["index"] = {**sparse.get("index", {}), **change["index"]}
        self._store(name, stored)

    def add_vector(self, name: str, vector: str, config: Mapping[str, Any]) -> None:
        models = self._models()
        dense = "dense" in config
        model = models.DenseVectorNameConfig if dense else models.SparseVectorNameConfig
        self._local.create_vector_name(name, vector, model(**config))
        stored = self._stored(name)
        section = "vectors" if dense else "sparse_vectors"
        stored["config"]["params"].setdefault(section, {})[vector] = dict(config["dense" if dense else "sparse"])
        self._store(name, stored)

    def delete(self, name: str) -> bool:
        self._writable().delete_collection(name)
        self._store(name, None)
        return True

    def create_index(self, name: str, field: str, schema: Any) -> None:
        self._writable()
        stored = self._stored(name)
        stored["indexes"][field] = schema
        self._store(name, stored)

    def delete_index(self, name: str, field: str) -> None:
        self._writable()
        stored = self._stored(name)
        stored["indexes"].pop(field, None)
        self._store(name, stored)

    def change_aliases(self, actions: list[dict[str, Any]]) -> None:
        models = self._models()
        kinds = {
            "create_alias": models.CreateAliasOperation,
            "delete_alias": models.DeleteAliasOperation,
            "rename_alias": models.RenameAliasOperation,
        }
        self._local.update_collection_aliases([kinds[next(iter(action))](**action) for action in actions])

    def scroll(self, name: str, limit: int, offset: Any) -> tuple[list[dict[str, Any]], Any]:
        records, following = self._local.scroll(name, limit=limit, offset=offset, with_payload=True, with_vectors=True)
        return [record.model_dump(mode="json", exclude_none=True) for record in records], following

    def upsert(self, name: str, points: list[dict[str, Any]]) -> None:
        models = self._models()
        self._local.upsert(name, [models.PointStruct(**point) for point in points])

    def _writable(self) -> Any:
        if self.read_only:
            raise ReadOnlyError("a write")
        return self._local

    def _models(self) -> Any:
        self._writable()
        return self._library.models

    def _stored(self, name: str) -> dict[str, Any]:
        """A copy of what is kept of a collection, or what the client knows of one that it had before."""
        if name in self._settings:
            return copy.deepcopy(self._settings[name])
        shown = self._local.get_collection(name).config.model_dump(mode="json", exclude_none=True)
        return {"config": shown, "indexes": {}}

    def _store(self, name: str, settings: Optional[dict[str, Any]]) -> None:
        if settings is None:
            self._settings.pop(name, None)
        else:
            self._settings[name] = settings
        scratch = self._file + ".new"
        with open(scratch, "w", encoding="utf-8") as file:
            jsonlib.dump(self._settings, file)
        os.replace(scratch, self._file)


def _quantize(config: dict[str, Any], body: Mapping[str, Any]) -> None:
    if "quantization_config" in body:
        given = body["quantization_config"]
        config["quantization_config"] = None if given == "Disabled" else given

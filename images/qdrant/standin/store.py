# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collections on disk: a description beside the engine's own files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
import threading
import urllib.request
import zlib
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any, Callable, Optional
from urllib.parse import quote, unquote

import qdrant_edge as edge

from standin import config as configs
from standin import convert
from standin.errors import RestError, bad_request, collection_not_found, wrong_input

DESCRIPTION = "standin.json"
BLOCK = 1 << 20


def write_json(path: Path, data: Any) -> None:
    """Replace a file whole, or leave the old one."""
    scratch = path.with_suffix(".new")
    with scratch.open("w", encoding="utf-8") as file:
        json.dump(data, file)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


class Collection:
    """One collection: its description, its engine shard, and the lock that orders its writers."""

    def __init__(self, name: str, folder: Path, description: dict[str, Any], shard: Any) -> None:
        self.name = name
        self.folder = folder
        self.config: dict[str, Any] = description["config"]
        self.indexes: dict[str, Any] = description["indexes"]
        self.operation = int(description["operation"])
        self.shard = shard
        self.lock = threading.RLock()
        self.dirty = False

    @classmethod
    def create(cls, name: str, folder: Path, config: dict[str, Any]) -> Collection:
        shard_folder = folder / "shard"
        shard_folder.mkdir(parents=True)
        try:
            shard = edge.EdgeShard.create(str(shard_folder), convert.engine_config(config))
        except Exception:
            shutil.rmtree(folder)
            raise
        collection = cls(name, folder, {"config": config, "indexes": {}, "operation": 0}, shard)
        collection.save()
        return collection

    @classmethod
    def load(cls, name: str, folder: Path) -> Collection:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        return cls(name, folder, description, edge.EdgeShard.load(str(folder / "shard")))

    def save(self) -> None:
        write_json(
            self.folder / DESCRIPTION,
            {"config": self.config, "indexes": self.indexes, "operation": self.operation},
        )

    def info(self) -> dict[str, Any]:
        live = self.shard.info()
        return {
            "status": "green",
            "optimizer_status": "ok",
            "indexed_vectors_count": live.indexed_vectors_count,
            "points_count": live.points_count,
            "segments_count": live.segments_count,
            "config": self.config,
            "payload_schema": {
                field: self._index_info(schema, live.payload_schema.get(field))
                for field, schema in self.indexes.items()
            },
            "update_queue": {"length": 0},
        }

    @staticmethod
    def _index_info(schema: Any, live: Any) -> dict[str, Any]:
        points = live.points if live else 0
        if isinstance(schema, str):
            return {"data_type": schema, "points": points}
        params = {"is_principal": None, **schema} if schema["type"] == "integer" else schema
        return {"data_type": schema["type"], "params": params, "points": points}

    def write(self, *operations: Any) -> list[dict[str, Any]]:
        """Apply engine operations in order; what was applied is in the engine's log when this returns."""
        done = []
        with self.lock:
            for operation in operations:
                self.shard.update(operation)
                self.operation += 1
                self.dirty = True
                done.append({"operation_id": self.operation, "status": "completed"})
        return done

    def reconfigure(self, config: dict[str, Any]) -> None:
        """Store the new configuration and let the engine load with as much of it as it knows."""
        with self.lock:
            if config == self.config:
                return
            self.config = config
            self.save()
            self.shard.close()
            try:
                self.shard = edge.EdgeShard.load(str(self.folder / "shard"), convert.engine_config(config))
            except Exception:  # noqa: BLE001 - the engine refuses a setting: it stays stored and shown
                self.shard = edge.EdgeShard.load(str(self.folder / "shard"))

    def flush(self) -> None:
        with self.lock:
            if self.dirty:
                self.shard.flush()
                self.save()
                self.dirty = False

    def close(self) -> None:
        with self.lock:
            self.flush()
            self.shard.close()


class Store:
    """All collections and aliases of one storage folder."""

    def __init__(self, root: Path, snapshots: Path) -> None:
        self.root = root / "collections"
        self.aliases_file = root / "aliases.json"
        self.snapshots = snapshots
        self.lock = threading.RLock()
        self.root.mkdir(parents=True, exist_ok=True)
        self.aliases: dict[str, str] = {}
        if self.aliases_file.exists():
            self.aliases = json.loads(self.aliases_file.read_text(encoding="utf-8"))
        self.collections: dict[str, Collection] = {}
        for folder in sorted(self.root.iterdir()):
            if (folder / DESCRIPTION).exists():
                self.collections[unquote(folder.name)] = Collection.load(unquote(folder.name), folder)
            else:
                shutil.rmtree(folder)

    def _folder(self, name: str) -> Path:
        return self.root / quote(name, safe="").replace(".", "%2E")

    def get(self, name: str) -> Collection:
        """A collection by its name or by an alias."""
        found = self.collections.get(self.aliases.get(name, name))
        if found is None:
            raise collection_not_found(name)
        return found

    def exists(self, name: str) -> bool:
        return self.aliases.get(name, name) in self.collections

    def create(self, name: str, body: dict[str, Any]) -> None:
        _check_name(name)
        with self.lock:
            if name in self.collections:
                raise RestError(409, f"Wrong input: Collection `{name}` already exists!")
            if name in self.aliases:
                raise wrong_input(f"Can't create collection with name {name}. Alias with the same name already exists")
            self.collections[name] = Collection.create(name, self._folder(name), configs.created(body))

    def delete(self, name: str) -> bool:
        """The real thing or, by an alias's name, nothing: snapshots stay, as with the server."""
        with self.lock:
            collection = self.collections.pop(name, None)
            if collection is None:
                return False
            with collection.lock:
                (collection.folder / DESCRIPTION).unlink()
                collection.shard.close()
                shutil.rmtree(collection.folder)
            self._set_aliases({alias: target for alias, target in self.aliases.items() if target != name})
            return True

    def change_aliases(self, actions: list[dict[str, Any]]) -> None:
        """One after the other, as the server does: what was done before one that fails stays done."""
        with self.lock:
            new = dict(self.aliases)
            try:
                for action in actions:
                    self._change_alias(new, action)
            finally:
                self._set_aliases(new)

    def _change_alias(self, aliases: dict[str, str], action: dict[str, Any]) -> None:
        kind, args = next(iter(action.items()))
        if kind == "create_alias":
            if args["collection_name"] not in self.collections:
                raise collection_not_found(args["collection_name"])
            if args["alias_name"] in self.collections:
                raise RestError(409, f"Wrong input: Collection `{args['alias_name']}` already exists!")
            aliases[args["alias_name"]] = args["collection_name"]
        elif kind == "delete_alias":
            aliases.pop(args["alias_name"], None)
        else:
            if args["old_alias_name"] not in aliases:
                raise RestError(404, f"Not found: Alias {args['old_alias_name']} does not exists!")
            aliases[args["new_alias_name"]] = aliases.pop(args["old_alias_name"])

    def _set_aliases(self, aliases: dict[str, str]) -> None:
        if aliases != self.aliases:
            write_json(self.aliases_file, aliases)
            self.aliases = aliases

    def snapshot_folder(self, collection: Collection) -> Path:
        return self.snapshots / collection.folder.name

    def make_snapshot(self, name: str) -> dict[str, Any]:
        """A tar of the collection's own files, taken while nobody writes; most of them is nothing but zeros."""
        collection = self.get(name)
        folder = self.snapshot_folder(collection)
        folder.mkdir(parents=True, exist_ok=True)
        stamp = datetime.now(timezone.utc).strftime("%Y-%m-%d-%H-%M-%S-%f")
        path = folder / f"{collection.folder.name}-{stamp}.snapshot"
        with collection.lock:
            collection.shard.flush()
            collection.save()
            with tarfile.open(path, "w:gz", compresslevel=1) as tar:
                tar.add(collection.folder, arcname=".")
        with path.open("rb") as file:
            path.with_suffix(".checksum").write_text(_digest(file), encoding="utf-8")
        return _snapshot_info(path)

    def list_snapshots(self, name: str) -> list[dict[str, Any]]:
        return [_snapshot_info(path) for path in sorted(self.snapshot_folder(self.get(name)).glob("*.snapshot"))]

    def delete_snapshot(self, name: str, snapshot: str) -> None:
        path = self.snapshot_folder(self.get(name)) / snapshot
        if "/" in snapshot or not path.exists():
            raise RestError(404, f"Not found: Snapshot {snapshot} not found")
        path.unlink()
        path.with_suffix(".checksum").unlink(missing_ok=True)

    def snapshot_file(self, name: str, snapshot: str) -> Path:
        path = self.snapshot_folder(self.get(name)) / snapshot
        if "/" in snapshot or not path.exists():
            raise RestError(404, f"Not found: Snapshot {snapshot} not found")
        return path

    def recover(self, name: str, location: str, checksum: Optional[str] = None, api_key: str = "") -> None:
        """Put a snapshot's files in the place of the collection's; the collection need not exist."""
        if location.startswith(("http://", "https://")):
            asked = urllib.request.Request(location, headers={"api-key": api_key} if api_key else {})
            with tempfile.TemporaryFile(dir=self.root.parent) as file:
                try:
                    with urllib.request.urlopen(asked, timeout=60) as answer:
                        shutil.copyfileobj(answer, file, BLOCK)
                except OSError as error:
                    raise bad_request(f"Failed to download snapshot from {location}: {error}") from None
                file.seek(0)
                self.recover_from(name, file, checksum)
            return
        path = Path(unquote(location.removeprefix("file://")))
        if not location.startswith("file://") or not path.is_file():
            raise bad_request(f'Snapshot file "{path}" does not exist')
        with path.open("rb") as stored:
            self.recover_from(name, stored, checksum)

    def recover_from(self, name: str, content: IO[bytes], checksum: Optional[str] = None) -> None:
        """From a file that stands where the snapshot begins and ends where it ends."""
        name = self.aliases.get(name, name)
        _check_name(name)
        if checksum is not None:
            start = content.tell()
            seen = _digest(content)
            content.seek(start)
            if checksum.lower() != seen:
                raise bad_request(f"Snapshot checksum mismatch: expected {checksum}, got {seen}")
        with self.lock:
            folder = self._folder(name)
            fresh = folder.with_name(folder.name + "%new")
            shutil.rmtree(fresh, ignore_errors=True)
            try:
                with tarfile.open(fileobj=content) as tar:
                    for member in tar:
                        _extract(tar, member, fresh)
            except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
                shutil.rmtree(fresh, ignore_errors=True)
                raise bad_request(f"Snapshot cannot be read: {error}") from None
            if not (fresh / DESCRIPTION).is_file():
                shutil.rmtree(fresh, ignore_errors=True)
                raise bad_request("Snapshot cannot be read: it is of something else")
            old = self.collections.pop(name, None)
            if old is not None:
                old.shard.close()
                shutil.rmtree(folder)
            fresh.replace(folder)
            self.collections[name] = Collection.load(name, folder)

    def each(self, action: Callable[[Collection], None]) -> None:
        for collection in list(self.collections.values()):
            action(collection)

    def close(self) -> None:
        self.each(Collection.close)


def _digest(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    for block in iter(lambda: file.read(BLOCK), b""):
        digest.update(block)
    return digest.hexdigest()


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """As the library does, but with holes where there are zeros."""
    safe = tarfile.data_filter(member, str(folder))
    content = tar.extractfile(member) if member.isreg() else None
    if content is None:
        tar.extract(safe, folder, filter="data")
        return
    path = folder / safe.name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for block in iter(lambda: content.read(BLOCK), b""):
            if block.strip(b"\0"):
                file.write(block)
            else:
                file.seek(len(block), os.SEEK_CUR)
        file.truncate(member.size)


def _snapshot_info(path: Path) -> dict[str, Any]:
    made = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
    checksum: Optional[Path] = path.with_suffix(".checksum")
    return {
        "name": path.name,
        "creation_time": made.strftime("%Y-%m-%dT%H:%M:%S"),
        "size": path.stat().st_size,
        "checksum": checksum.read_text(encoding="utf-8") if checksum and checksum.exists() else None,
    }


def _check_name(name: str) -> None:
    def refuse(reason: str) -> RestError:
        return RestError(422, f"Validation error in path parameters: [collection_name: {reason}]")

    if not 1 <= len(name) <= 255:
        raise refuse(f'value "{name}" invalid, must be from 1 to 255 characters')
    for char in '/\\<>:"|?*\0':
        if char in name:
            raise refuse(f'collection name cannot contain "{char}" char')
    if name in (".", ".."):
        raise refuse(f'collection name cannot be "{name}"')

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Put images of this machine's engine into a registry, layers uncompressed.

``docker push`` compresses every layer on one core: minutes where this takes seconds, for a registry as short-lived
as a test.
usage: fill_mirror.py HOST:PORT IMAGE...
"""

from __future__ import annotations

import hashlib
import http.client
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from typing import IO, NamedTuple
from urllib.parse import urlsplit

CHUNK = 1 << 20
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar"


class Blob(NamedTuple):
    digest: str
    size: int


def place(image: str) -> tuple[str, str]:
    """``postgres:17`` → ``("library/postgres", "17")``: where the engine asks a mirror for it."""
    name, tag = image.rsplit(":", 1)
    return (name if "/" in name else f"library/{name}"), tag


class Registry:
    def __init__(self, address: str) -> None:
        self.address = address
        self.connection = http.client.HTTPConnection(address, timeout=300)

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> http.client.HTTPResponse:
        self.connection.request(method, path, body=body, headers=headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path} at {self.address}: {answer.status} {text[:300]!r}")
        return answer

    def upload(self, name: str, file: IO[bytes], size: int) -> Blob:
        seen = hashlib.sha256()

        def pieces() -> Iterator[bytes]:
            while piece := file.read(CHUNK):
                seen.update(piece)
                yield piece

        started = self.ask("POST", f"/v2/{name}/blobs/uploads/", **{"Content-Length": "0"})
        sent = self.ask(
            "PATCH",
            local(started.headers["Location"]),
            pieces(),
            **{"Content-Type": "application/octet-stream", "Content-Length": str(size)},
        )
        digest = f"sha256:{seen.hexdigest()}"
        self.ask("PUT", f"{local(sent.headers['Location'])}&digest={digest}", **{"Content-Length": "0"})
        return Blob(digest, size)


def local(location: str) -> str:
    parts = urlsplit(location)
    return f"{parts.path}?{parts.query}"


def fill(registry: Registry, image: str) -> int:
    name, tag = place(image)
    blobs: dict[str, Blob] = {}
    links: dict[str, str] = {}
    described: dict[str, list[str] | str] = {}
    with (
        subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saving,
        tarfile.open(fileobj=saving.stdout, mode="r|") as archive,
    ):
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            if member.issym():
                links[member.name] = member.linkname.removeprefix("../")
            elif file and member.name == "manifest.json":
                described = json.load(file)[0]
            elif file:
                blobs[member.name] = registry.upload(name, file, member.size)
    if saving.returncode:
        raise SystemExit(f"docker save {image} failed")
    config = blobs[str(described["Config"])]
    layers = [blobs[links.get(layer, layer)] for layer in described["Layers"]]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, **config._asdict()},
        "layers": [{"mediaType": LAYER, **layer._asdict()} for layer in layers],
    }
    registry.ask("PUT", f"/v2/{name}/manifests/{tag}", json.dumps(manifest), **{"Content-Type": MANIFEST})
    return sum(layer.size for layer in layers)


def main(address: str, *images: str) -> None:
    registry = Registry(address)
    for image in images:
        print(f"{image}: {fill(registry, image) >> 20} MB")


if __name__ == "__main__":
    main(*sys.argv[1:])

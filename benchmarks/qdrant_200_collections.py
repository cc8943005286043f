# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""200 collections with nothing to do: what qdrant_collection costs beside the reads that the API forces.

Usage: PYTHONPATH=. .venv/bin/python benchmarks/qdrant_200_collections.py [NUMBER]

Starts the image that tests use in a container of its own on loopback, makes the collections, and runs the module as
Ansible does, in a process of its own. The reads alone are measured with the same library over one connection.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.containers import docker, start

IMAGE = "qdrant/qdrant:v1.19.0"
RUNS = 5
MOST_BESIDE_THE_READS = 1.0
MODULE = "ansible_collections.bestviable.planner_memory.plugins.modules.qdrant_collection"


def module(url: str, declared: list[dict[str, object]]) -> tuple[float, dict[str, object]]:
    args = {"ANSIBLE_MODULE_ARGS": {"url": url, "collections": declared, "timeout": 60}}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", MODULE],
        input=json.dumps(args),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "collections")},
    )
    spent = time.perf_counter() - began
    if done.returncode != 0:
        sys.exit(f"the module failed: {done.stdout} {done.stderr}")
    return spent, json.loads(done.stdout)


def reads(url: str, names: list[str]) -> float:
    session = requests.Session()
    began = time.perf_counter()
    session.get(f"{url}/collections", timeout=60).json()
    for name in names:
        session.get(f"{url}/collections/{name}", timeout=60).json()
    return time.perf_counter() - began


def main() -> int:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    names = [f"bench_{one:03}" for one in range(number)]
    declared: list[dict[str, object]] = [
        {"name": name, "vectors": {"size": 8, "distance": "Cosine"}, "hnsw_config": {"m": 16}} for name in names
    ]
    container = start(IMAGE, ports=[6333])
    try:
        url = f"http://127.0.0.1:{container.port(6333)}"
        container.wait(lambda: requests.get(f"{url}/readyz", timeout=2).ok)
        spent, made = module(url, declared)
        print(f"made {len(made['actions'])} collections in {spent:.1f} s")
        best = min(reads(url, names) for _run in range(RUNS))
        runs = [module(url, declared) for _run in range(RUNS)]
    finally:
        docker("rm", "-f", "-v", container.name, check=False)
    if any(result["changed"] for _spent, result in runs):
        sys.exit("a run with nothing to do changed something")
    fastest = min(spent for spent, _result in runs)
    print(
        f"{number} unchanged: {fastest:.2f} s, of which the {number + 1} reads alone cost {best:.2f} s (best of {RUNS})"
    )
    print(f"beside the reads: {fastest - best:.2f} s, at most {MOST_BESIDE_THE_READS:.2f} s")
    return 0 if fastest - best <= MOST_BESIDE_THE_READS else 1


if __name__ == "__main__":
    sys.exit(main())

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of Valkey's files: on a stop, with a newer and an older server, and where another program wrote them."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live.valkey_files import held

from tests.contract.test_valkey_crash import Writer
from tests.support import valkey
from tests.support.containers import Container, docker
from tests.support.run_module import ModuleFailed, run_module

OURS = "valkey/valkey:8.1.1"
OTHER = "planner-memory/valkey-other"
KEYS = 20_000


def there(image: str) -> bool:
    return subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode == 0


others = pytest.mark.skipif(
    not all(there(f"{OTHER}:{tag}") for tag in ("8.0", "9.1", "redis-7.0", "redis-8.0")),
    reason="the other versions are not on this host; ./stack test contract makes them",
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return valkey.described(tmp_path_factory.mktemp("described"))


@pytest.fixture
def volume() -> Iterator[str]:
    name = f"pm-contract-{secrets.token_hex(4)}"
    docker("volume", "create", "--label", "planner-memory.test=contract", name)
    yield name
    for holder in docker("ps", "-aq", "--filter", f"volume={name}").split():
        docker("rm", "-f", holder)
    docker("volume", "rm", name)


@pytest.fixture
def start(
    container: Callable[..., Container], project: dict[str, Any], tmp_path: Path, volume: str
) -> Callable[..., Container]:
    """``start(image)`` runs the role's command on the volume of this test."""
    return lambda image, **more: valkey.run(container, project, tmp_path, image=image, volume=volume, **more)


def fill(one: Container) -> str:
    """Keys in the base file, more in the incremental one; what tells whether they are the same."""
    lines = f"for i in $(seq {KEYS}); do echo set key:$i value:$i; done | redis-cli --pipe"
    one.exec("sh", "-c", lines)
    rewrite(one)
    one.exec("sh", "-c", lines.replace("key:", "late:"))
    one.exec("redis-cli", "hset", "hash", "a", "1", "b", "2")
    return sums(one)


def rewrite(one: Container) -> None:
    one.exec("redis-cli", "bgrewriteaof")
    one.wait(lambda: "aof_rewrite_in_progress:0" in one.exec("redis-cli", "info", "persistence"))


def sums(one: Container) -> str:
    scan = "redis-cli --scan | sort | head -n 2000 | sed 's/^/type /' | redis-cli | sort | uniq -c | tr -s ' '"
    some = "redis-cli mget key:1 key:777 late:1 late:20000; redis-cli hgetall hash"
    return one.exec("sh", "-c", f"redis-cli dbsize; {scan}; {some}")


def stopped(one: Container) -> None:
    assert one.stop() == 0, one.logs()


def test_a_stop_loses_nothing(start: Callable[..., Container]) -> None:
    one = valkey.ready(start(OURS))
    writer = Writer(one.port(6379))
    writer.start()
    one.wait(lambda: len(writer.acknowledged) > 1000)
    docker("exec", one.name, "redis-cli", "bgrewriteaof")
    stopped(one)
    writer.join(60)
    docker("start", one.name)
    valkey.ready(one)
    assert int(one.exec("redis-cli", "get", "count")) >= len(writer.acknowledged)


@others
def test_a_newer_server_goes_on_with_the_keys_of_the_older(start: Callable[..., Container]) -> None:
    image, *newer = f"{OTHER}:8.0", OURS, f"{OTHER}:9.1"
    one = valkey.ready(start(image))
    keys = fill(one)
    assert keys.startswith(f"{2 * KEYS + 1}\n")
    for image in newer:
        stopped(one)
        one = valkey.ready(start(image))
        assert sums(one) == keys, image
        rewrite(one)


@others
def test_the_way_back_is_refused_and_nothing_is_lost(start: Callable[..., Container]) -> None:
    one = valkey.ready(start(f"{OTHER}:9.1"))
    keys = fill(one)
    stopped(one)
    older = start(OURS)
    older.wait(lambda: older.inspect()["State"]["Status"] == "exited")
    assert older.inspect()["State"]["ExitCode"] == 78
    assert "was written by Valkey 9 or newer (RDB VALKEY080), and Valkey 8.1.1 cannot read that" in older.logs()
    docker("start", one.name)
    assert sums(valkey.ready(one)) == keys


def marked(volume: str) -> dict[str, bool]:
    """Folder and files of the volume, and whether ``lsattr`` shows their mark for synchronous updates."""
    folder = docker("volume", "inspect", "--format", "{{.Mountpoint}}", volume)
    command = ["lsattr", "-d", folder, *(str(path) for path in Path(folder).rglob("*"))]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {Path(line.split()[1]).name: "S" in line.split()[0] for line in said.splitlines()}


def test_files_old_and_new_are_marked_and_the_mark_is_taken_back(
    start: Callable[..., Container], project: dict[str, Any], volume: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = project["definition"]["services"]["valkey"]["environment"]
    keys = {}
    for updates in ("no", "yes", "no"):
        monkeypatch.setitem(environment, "SYNCHRONOUS_UPDATES", updates)
        one = valkey.ready(start(OURS))
        before = set(marked(volume))
        keys[fill(one)] = updates
        seen = marked(volume)
        assert set(seen) - before, "the rewrite made new files"
        assert set(seen.values()) == {updates == "yes"}, seen
        assert "cannot be turned on" not in one.logs()
        stopped(one)
    assert len(keys) == 1, "the keys outlive each change"


def written_by_redis(container: Callable[..., Container], tag: str, volume: str, *flags: str) -> None:
    flags = ("redis-server", "--dir", "/data", "--protected-mode", "no", *flags)
    redis = container(f"{OTHER}:{tag}", args=flags, options=["--user", "valkey", "-v", f"{volume}:/data"])
    valkey.ready(redis)
    fill(redis)
    stopped(redis)


@others
def test_files_of_redis_7_are_taken_over(
    container: Callable[..., Container], start: Callable[..., Container], volume: str
) -> None:
    written_by_redis(container, "redis-7.0", volume, "--appendonly", "yes")
    assert sums(valkey.ready(start(OURS))).startswith(f"{2 * KEYS + 1}\n")


@others
@pytest.mark.parametrize("image", [OURS, f"{OTHER}:9.1"])
def test_files_that_only_a_newer_redis_reads_are_refused(
    container: Callable[..., Container], start: Callable[..., Container], volume: str, image: str
) -> None:
    written_by_redis(container, "redis-8.0", volume, "--appendonly", "yes")
    one = start(image)
    one.wait(lambda: one.inspect()["State"]["Status"] == "exited")
    assert one.inspect()["State"]["ExitCode"] == 78
    assert "was written by Redis 7.4 or newer (RDB REDIS0012), and Valkey" in one.logs()
    mountpoint = docker("volume", "inspect", "--format", "{{.Mountpoint}}", volume)
    seen = held(mountpoint)["appendonly"]
    assert seen and seen["format"] == "REDIS0012" and (Path(mountpoint) / seen["path"]).is_file()


@others
def test_who_runs_the_play_reads_why(
    container: Callable[..., Container], project: dict[str, Any], tmp_path: Path, volume: str
) -> None:
    written_by_redis(container, "redis-8.0", volume, "--appendonly", "yes")
    definition = project["definition"]
    name = f"{volume}-play"
    service = {**definition["services"]["valkey"], "container_name": name, "ports": [], "restart": "unless-stopped"}
    service.pop("networks")
    text = yaml.safe_dump({
        "services": {"valkey": service}, "volumes": {"valkey_data": {"name": volume, "external": True}},
    })  # fmt: skip
    mine = {"name": name, "definition": text, "files": project["files"]}
    began = time.monotonic()
    try:
        with pytest.raises(ModuleFailed) as caught:
            run_module("compose_stack", {"projects": [mine], "services_dir": str(tmp_path), "wait_timeout": 600})
        assert "appendonly.aof.2.base.rdb was written by Redis 7.4 or newer (RDB REDIS0012)" in str(caught.value)
        assert "move the file out of the volume" in str(caught.value)
        assert time.monotonic() - began < 300, "it is told at once, not after all patience"
    finally:
        gone = {"projects": [{"name": name}], "services_dir": str(tmp_path), "state": "absent"}
        run_module("compose_stack", gone)

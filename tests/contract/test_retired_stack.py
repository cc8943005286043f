# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""retired_stack against the engine of this machine: one small stack, and an unrelated container in its network."""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest

from tests.support.containers import docker
from tests.support.run_module import ModuleFailed, run_module

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "planner-memory/service-double:0.1.0"
# Kills the module that called it, before or after it did what it was called for.
KILLER = """#!/bin/sh
PATH=${PATH#*:}
echo "${0##*/} $*" >> "$CALLS"
[ "$(wc -l < "$CALLS")" = "$DIE_AT" ] || exec "${0##*/}" "$@"
[ "$DIE_AFTER" = 0 ] || "${0##*/}" "$@" > /dev/null 2>&1
kill -9 "$PPID"
"""
RUN = """
import json, sys
import tests.conftest
from tests.support.run_module import run_module
print(json.dumps(run_module("retired_stack", json.loads(sys.argv[1]))))
"""


class Bench:
    def __init__(self, folder: Path) -> None:
        self.name = f"t-retire-{secrets.token_hex(3)}"
        self.folder = folder
        self.archives = folder / "archive"
        self.directory = folder / self.name
        self.directory.mkdir()
        self.file = self.directory / "docker-compose.yml"
        self.file.write_text(
            f"""services:
  server:
    image: {IMAGE}
    container_name: {self.name}-server
    user: "0"
    init: true
    entrypoint: []
    command: ["sh", "-c", "trap exit TERM; sleep 1000 & wait"]
    env_file: [server.env]
    environment: {{PLAIN: "a$$b", FROM: "${{FROM}}"}}
    volumes: ["data:/data", "./conf:/conf:ro"]
    networks: [default, shared]
    mem_limit: 100m
    cpus: 0.5
    restart: unless-stopped
    depends_on: [ui]
  ui:
    image: {IMAGE}
    container_name: {self.name}-ui
    init: true
    entrypoint: []
    command: ["sh", "-c", "trap exit TERM; sleep 1000 & wait"]
    networks: [shared]
volumes: {{data: {{}}}}
networks: {{shared: {{name: {self.name}-shared}}}}
"""
        )
        (self.directory / "server.env").write_text("SECRET_TOKEN='very$secret'\n")
        (self.directory / ".env").write_text("FROM=dotenv\n")
        (self.directory / "conf").mkdir()

    def up(self) -> None:
        docker("compose", "-p", self.name, "-f", str(self.file), "up", "-d")
        docker(
            "exec",
            f"{self.name}-server",
            "sh",
            "-c",
            "echo precious > /data/x; chown 1234:99 /data/x; ln -sf x /data/y",
        )

    def neighbour(self) -> None:
        docker(
            "run", "-d", "--name", f"{self.name}-other", "--network", f"{self.name}-shared", "--entrypoint", "sleep",
            IMAGE, "1000",
        )  # fmt: skip

    def params(self, **options: Any) -> dict[str, Any]:
        given = {"name": self.name, "projects": [self.name], "archive_dir": str(self.archives), "date": "20251201"}
        return {**given, **options}

    def run(self, *, check: bool = False, **options: Any) -> dict[str, Any]:
        return run_module("retired_stack", self.params(**options), check=check)

    def process(self, die_at: int, after: bool, **options: Any) -> tuple[int, list[str]]:
        """The module as a process of its own, which the wrapper kills."""
        places = self.folder / "bin"
        places.mkdir(exist_ok=True)
        for name in ("docker", "tar"):
            (places / name).write_text(KILLER)
            (places / name).chmod(0o755)
        calls = self.folder / "calls"
        calls.write_text("")
        done = subprocess.run(
            [sys.executable, "-c", RUN, json.dumps(self.params(**options))],
            cwd=ROOT,
            env={
                "PATH": f"{places}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(self.folder),
                "PYTHONPATH": ":".join(sys.path),
                "CALLS": str(calls), "DIE_AT": str(die_at), "DIE_AFTER": str(int(after)),
            },
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        return done.returncode, calls.read_text().splitlines()

    def hashes(self) -> dict[str, str]:
        form = '{{index .Config.Labels "com.docker.compose.config-hash"}}'
        return {name: docker("inspect", "-f", form, f"{self.name}-{name}") for name in ("server", "ui")}

    def content(self) -> str:
        read = ["--user", "0", "--entrypoint", "sh", IMAGE, "-c", "cat /d/x; stat -c %u:%g:%a /d/x; readlink /d/y"]
        return docker("run", "--rm", "-v", f"{self.name}_data:/d", *read)

    def standing(self) -> list[str]:
        return sorted(docker("ps", "-a", "--filter", f"name={self.name}", "--format", "{{.Names}}").split())

    def networks(self) -> list[str]:
        return sorted(docker("network", "ls", "--filter", f"name={self.name}", "--format", "{{.Name}}").split())

    def neighbours_life(self) -> str:
        return docker(
            "inspect", "-f", "{{.Id}} {{.State.StartedAt}} {{.RestartCount}} {{.State.Status}}", f"{self.name}-other"
        )

    def clean(self) -> None:
        for kind, listing, removal in (
            ("container", ["ps", "-aq"], ["rm", "-f", "-v"]),
            ("network", ["network", "ls", "-q"], ["network", "rm"]),
            ("volume", ["volume", "ls", "-q"], ["volume", "rm"]),
        ):
            found = docker(*listing, "--filter", f"name={self.name}", check=False).split()
            assert kind
            if found:
                docker(*removal, *found, check=False)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    try:
        made.up()
        made.neighbour()
        yield made
    finally:
        made.clean()


def archived(bench: Bench, ending: str = ".yml", date: str = "20251201") -> Path:
    return bench.archives / f"{bench.name}-{date}{ending}"


def test_out_of_service_and_back(bench: Bench) -> None:
    hashes, content, neighbour = bench.hashes(), bench.content(), bench.neighbours_life()
    resolved = docker("compose", "-p", bench.name, "-f", str(bench.file), "config")
    predicted = bench.run(check=True)
    assert bench.hashes() == hashes and not bench.archives.exists()
    real = bench.run(remove_volumes=False)
    assert real["diff"] == predicted["diff"] and real["actions"] == predicted["actions"]
    assert bench.standing() == [f"{bench.name}-other"]
    assert bench.networks() == [f"{bench.name}-shared"]
    assert archived(bench).read_text().strip() == resolved and archived(bench).stat().st_mode & 0o777 == 0o600
    assert json.loads(archived(bench, ".json").read_text())["hashes"] == hashes
    assert not bench.run()["changed"]
    assert bench.run(remove_volumes=True)["changed"]
    assert docker("volume", "ls", "-q", "--filter", f"name={bench.name}") == ""

    shutil.rmtree(bench.directory)
    (bench.directory / "conf").mkdir(parents=True)
    predicted = bench.run(state="restored", check=True)
    back = bench.run(state="restored")
    assert back["diff"] == predicted["diff"] and back["actions"] == predicted["actions"]
    assert bench.hashes() == hashes and bench.content() == content
    assert content.splitlines()[0] == "precious" and "1234:99" in content
    assert (
        docker("exec", f"{bench.name}-server", "sh", "-c", "echo $SECRET_TOKEN $PLAIN $FROM")
        == "very$secret a$b dotenv"
    )
    assert not bench.run(state="restored")["changed"]
    assert bench.neighbours_life() == neighbour
    assert "very$secret" not in json.dumps([real, back])


def kills(calls: list[str]) -> list[tuple[int, bool]]:
    """Calls that change something, the removal itself when it is done; the unit tests kill at every call."""
    changing = (" stop ", " down", "network rm", "tar --create", "tar --compare")
    found = [number for number, call in enumerate(calls, 1) if any(word in f"{call} " for word in changing)]
    return [(number, " down" in calls[number - 1]) for number in found]


def test_killed_at_every_step_and_run_again(bench: Bench) -> None:
    neighbour, content = bench.neighbours_life(), bench.content()
    code, calls = bench.process(0, False)
    assert code == 0 and bench.standing() == [f"{bench.name}-other"]
    for number, after in kills(calls):
        shutil.rmtree(bench.archives)
        bench.up()
        code, seen = bench.process(number, after)
        assert code == -signal.SIGKILL and len(seen) == number, (number, seen)
        bench.run(date="20251202")
        assert bench.standing() == [f"{bench.name}-other"], calls[number - 1]
        assert bench.networks() == [f"{bench.name}-shared"], calls[number - 1]
        assert len(list(bench.archives.glob("*.yml"))) == 1, calls[number - 1]
        sidecar = json.loads(next(bench.archives.glob("*.json")).read_text())
        assert len(sidecar["containers"]) == 2 and len(list(bench.archives.glob("*.volumes/*.sha256"))) == 1
        assert not list(bench.archives.glob(".*.retiring")) and not bench.run(date="20251202")["changed"]
    assert bench.neighbours_life() == neighbour and bench.content() == content


@pytest.mark.parametrize("how", ["gone", "broken"])
def test_without_a_usable_file(bench: Bench, how: str) -> None:
    if how == "gone":
        bench.file.unlink()
    else:
        bench.file.write_text("services: [oh: no")
    content = bench.content()
    bench.run()
    bench.run(remove_volumes=True)
    assert bench.standing() == [f"{bench.name}-other"]
    bench.run(state="restored")
    again = bench.run(state="restored")
    assert bench.content() == content and not again["changed"], again["diff"]
    assert (
        docker("exec", f"{bench.name}-server", "sh", "-c", "echo $SECRET_TOKEN $PLAIN $FROM")
        == "very$secret a$b dotenv"
    )
    told = json.loads(docker("inspect", f"{bench.name}-server"))[0]
    assert (
        told["HostConfig"]["Memory"] == 100 * 2**20 and told["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    )
    assert {"server", f"{bench.name}-server"} <= set(
        told["NetworkSettings"]["Networks"][f"{bench.name}-shared"]["Aliases"]
    )
    assert not told["HostConfig"]["Binds"] or any("/conf:ro" in one for one in told["HostConfig"]["Binds"])
    found: Optional[str] = next((m["Source"] for m in told["Mounts"] if m["Destination"] == "/conf"), None)
    assert found == str(bench.directory / "conf")


def settings(bench: Bench) -> dict[str, Any]:
    told = json.loads(docker("inspect", f"{bench.name}-ui"))[0]
    network = json.loads(docker("network", "inspect", f"{bench.name}_inner"))[0]
    host = ("ShmSize", "Ulimits", "PidsLimit", "Dns", "Devices", "Sysctls", "GroupAdd", "MemoryReservation",
            "MemorySwap", "Memory", "Tmpfs", "OomScoreAdj", "PidMode", "IpcMode", "PortBindings")  # fmt: skip
    config = ("Hostname", "StopSignal", "StopTimeout", "Tty", "Env", "Entrypoint", "Cmd", "User")
    joined = told["NetworkSettings"]["Networks"][f"{bench.name}_inner"]
    return {
        **{key: told["HostConfig"].get(key) for key in host},
        **{key: told["Config"].get(key) for key in config},
        "address": joined["IPAMConfig"], "aliases": sorted(set(joined["Aliases"]) - {told["Id"][:12]}),
        "internal": network["Internal"], "subnet": [one["Subnet"] for one in network["IPAM"]["Config"]],
    }  # fmt: skip


def test_nothing_that_the_engine_was_asked_for_is_lost_without_a_file(bench: Bench) -> None:
    bench.file.write_text(f"""services:
  ui:
    image: {IMAGE}
    container_name: {bench.name}-ui
    hostname: archonhost
    entrypoint: [sleep]
    command: [infinity]
    shm_size: 256m
    ulimits: {{nofile: 12345}}
    pids_limit: 77
    dns: [9.9.9.9]
    devices: ["/dev/null:/dev/xnull"]
    stop_signal: SIGINT
    stop_grace_period: 1s
    sysctls: {{net.core.somaxconn: 999}}
    group_add: ["44"]
    mem_reservation: 50m
    memswap_limit: 500m
    mem_limit: 400m
    networks: {{inner: {{ipv4_address: 10.213.77.9}}}}
    tmpfs: ["/run/x:size=5m"]
    oom_score_adj: 300
    pid: host
    tty: true
networks: {{inner: {{internal: true, ipam: {{config: [{{subnet: 10.213.77.0/24}}]}}}}}}
""")
    docker("compose", "-p", bench.name, "-f", str(bench.file), "up", "-d", "--remove-orphans")
    before = settings(bench)
    bench.file.unlink()
    bench.run()
    bench.run(state="restored")
    assert settings(bench) == before and before["internal"]


def test_what_ran_comes_back_though_the_file_was_edited(bench: Bench) -> None:
    bench.file.write_text(bench.file.read_text().replace("1000 &", "2000 &"))
    (bench.directory / ".env").write_text("FROM=edited\n")
    real = bench.run()
    assert "does not say any more what runs as server, ui;" in str(real["warnings"])
    assert "FROM: edited" in archived(bench, ".file.yml").read_text()
    bench.run(state="restored")
    assert docker("exec", f"{bench.name}-server", "sh", "-c", "echo $FROM") == "dotenv"
    assert "sleep 1000" in docker("inspect", "-f", "{{.Config.Cmd}}", f"{bench.name}-ui")
    assert not bench.run(state="restored")["changed"]


def test_what_was_written_after_the_backup_is_not_lost(bench: Bench) -> None:
    bench.run(remove_volumes=True)
    bench.run(state="restored")
    docker("exec", f"{bench.name}-server", "sh", "-c", "echo second > /data/x; echo new > /data/z")
    bench.run(remove_volumes=True)
    bench.run(state="restored")
    assert bench.content().splitlines()[0] == "second"
    # Kept, and written to by somebody else while nobody retires it.
    bench.run()
    mounted = ["-v", f"{bench.name}_data:/d", "--user", "0", "--entrypoint", "sh", IMAGE, "-c"]
    docker("run", "--rm", *mounted, "echo third > /d/x")
    real = bench.run(remove_volumes=True)
    assert any("beside" in words for words in real["actions"])
    bench.run(state="restored")
    assert bench.content().splitlines()[0] == "third"
    assert len(list(bench.archives.glob("*.volumes/*.sha256"))) == 3
    again = bench.run(remove_volumes=True, check=True)
    assert not any("back up" in words for words in again["actions"]), "what is restored is what was kept"


def test_a_volume_that_the_engine_mounts_is_not_kept_empty(bench: Bench) -> None:
    device = bench.folder / "device"
    device.mkdir()
    options = f"{{driver: local, driver_opts: {{type: none, o: bind, device: {device}}}}}"
    bench.file.write_text(bench.file.read_text().replace("data: {}", f"data: {options}"))
    docker("compose", "-p", bench.name, "-f", str(bench.file), "down", "-v", check=False)
    bench.up()
    content = bench.content()
    bench.run(remove_volumes=True)
    shutil.rmtree(device)
    bench.run(state="restored")
    assert bench.content() == content

    memory = "{driver: local, driver_opts: {type: tmpfs, o: size=1m, device: tmpfs}}"
    bench.file.write_text(bench.file.read_text().replace(options, memory))
    docker("compose", "-p", bench.name, "-f", str(bench.file), "down", "-v", check=False)
    bench.up()
    with pytest.raises(ModuleFailed, match="with a mount of type tmpfs and cannot be read as a folder"):
        bench.run(remove_volumes=True, date="20251203")
    assert docker("inspect", "-f", "{{.State.Status}}", f"{bench.name}-server") == "running"

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A docker command line that keeps its containers in memory and remembers every call."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import yaml
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.engine import Answer

LABEL = "com.docker.compose"
READS = {"ps", "container", "image", "network", "volume", "logs"}


class FakeDocker:
    """Stands in for ``run_command``; understands what module compose_stack asks."""

    def __init__(self) -> None:
        self.containers: dict[str, dict[str, Any]] = {}
        self.images: dict[str, str] = {"img:1": "sha256:one"}
        self.networks: dict[str, str] = {"outside": "net-outside"}
        self.volumes: dict[str, str] = {}
        self.calls: list[list[str]] = []
        self.timeouts: list[Optional[float]] = []
        self.hangs = ""
        self.installed = True
        self.down = ""
        self.sick: set[str] = set()
        self.refuses = ""
        self._made = 0
        self._lock = threading.Lock()

    def __call__(self, argv: Sequence[str], timeout: Optional[float] = None) -> Answer:
        with self._lock:
            args = list(argv[1:])
            self.calls.append(args)
            self.timeouts.append(timeout)
            if self.hangs and self.hangs in args:
                return Answer(124, "", f"no answer within {timeout} s")
            if not self.installed:
                return Answer(127, "", "docker is not installed")
            if args[:2] == ["compose", "version"]:
                return Answer(0, "2.26.1\n", "")
            if args[0] == "compose" and "config" in args:
                return Answer(15, "", self.refuses) if self.refuses else Answer(0, "", "")
            if self.down:
                return Answer(1, "", self.down)
            return getattr(self, f"_{args[0]}")(args)

    @property
    def writes(self) -> list[list[str]]:
        """Calls that change something."""
        return [
            one for one in self.calls
            if one[0] not in READS and not {"version", "config", "--dry-run"} & set(one)
        ]  # fmt: skip

    def add(self, name: str, project: str = "", service: str = "", **more: Any) -> dict[str, Any]:
        self._made += 1
        labels = {f"{LABEL}.project": project, f"{LABEL}.service": service} if project else {}
        made = {
            "Id": f"id{self._made}",
            "Name": f"/{name}",
            "Image": "sha256:one",
            "Config": {"Image": "img:1", "Labels": {**labels, f"{LABEL}.config-hash": more.get("hash", "")}},
            "State": {"Status": more.get("status", "running"), "ExitCode": 0, "StartedAt": "then"},
            "HostConfig": {
                "Memory": more.get("memory", 0),
                "MemorySwap": more.get("memory_swap", 2 * more.get("memory", 0)),
                "NanoCpus": int(more.get("cpus", 0) * 1e9),
                "RestartPolicy": {"Name": more.get("restart", "no"), "MaximumRetryCount": 0},
            },
            "NetworkSettings": {
                "Networks": {n: {"NetworkID": self.networks[n]} for n in more.get("networks", [])},
                "Ports": {
                    f"{inside}/tcp": [{"HostIp": address, "HostPort": number}]
                    for address, number, inside in (one.split(":") for one in more.get("ports", []))
                },
            },
        }
        self.containers[name] = made
        return made

    def _ps(self, _args: list[str]) -> Answer:
        rows = [
            f"{one['Id']}\t{name}\t{one['Config']['Labels'].get(f'{LABEL}.project', '')}"
            for name, one in self.containers.items()
        ]
        return Answer(0, "\n".join(rows), "")

    def _container(self, args: list[str]) -> Answer:
        found = [one for one in self.containers.values() if one["Id"] in args]
        if "-f" in args:
            return Answer(0, "healthy\n", "")
        return Answer(0, json.dumps(found), "")

    def _image(self, args: list[str]) -> Answer:
        if args[1] == "ls":
            return Answer(0, "\n".join(self.images.values()), "")
        return Answer(0, "\n".join(f"{name} {self.images[name]}" for name in args if name in self.images), "")

    def _network(self, args: list[str]) -> Answer:
        return Answer(0, "\n".join(f"{name} {self.networks[name]}" for name in args if name in self.networks), "")

    def _volume(self, args: list[str]) -> Answer:
        if args[1] == "rm":
            del self.volumes[args[2]]
        return Answer(0, "\n".join(f"{name}\t{owner}" for name, owner in self.volumes.items()), "")

    def _logs(self, _args: list[str]) -> Answer:
        return Answer(0, "a line\nthe last line of top-secret\n", "")

    def _rm(self, args: list[str]) -> Answer:
        self.containers = {n: c for n, c in self.containers.items() if c["Id"] not in args and n not in args}
        return Answer(0, "", "")

    def _unpause(self, args: list[str]) -> Answer:
        for one in self.containers.values():
            if one["Id"] in args:
                one["State"]["Status"] = "running"
        return Answer(0, "", "")

    def _compose(self, args: list[str]) -> Answer:
        project = args[args.index("-p") + 1]
        own = {n: c for n, c in self.containers.items() if c["Config"]["Labels"].get(f"{LABEL}.project") == project}
        if "stop" in args:
            for one in own.values():
                one["State"]["Status"] = "exited"
            return Answer(0, "", "")
        if "down" in args:
            self.containers = {n: c for n, c in self.containers.items() if n not in own}
            return Answer(0, "", "")
        return self._up(project, Path(args[args.index("-f") + 1]), args, own)

    def _up(self, project: str, path: Path, args: list[str], own: dict[str, Any]) -> Answer:
        services = yaml.safe_load(path.read_text())["services"]
        if "--dry-run" in args:
            said = "".join(f" DRY-RUN MODE -  Container {name}  Running\n" for name in own)
            return Answer(0, "", said)
        for name, body in services.items():
            if "--no-deps" in args and name not in args:
                continue
            container = body.get("container_name", f"{project}-{name}-1")
            if container in self.containers and "--force-recreate" not in args:
                self.containers[container]["State"]["Status"] = "running"
            else:
                default = f"{project}_default"
                self.networks.setdefault(default, f"net-{default}")
                self.add(
                    container, project, name,
                    hash=hashlib.sha256(json.dumps(body).encode()).hexdigest(),
                    memory=int(str(body.get("mem_limit", "0m"))[:-1]) * 1024**2,
                    **(
                        {"memory_swap": int(body["memswap_limit"][:-1]) * 1024**2} if "memswap_limit" in body else {}
                    ),
                    cpus=body.get("cpus", 0),
                    restart=body.get("restart", "no"),
                    networks=body.get("networks") or [default],
                    ports=body.get("ports") or [],
                )  # fmt: skip
            if container in self.sick:
                self.containers[container]["State"].update(
                    Status="running", Health={"Status": "unhealthy", "Log": [{"Output": "no answer, top-secret"}]}
                )
                return Answer(1, "", f" Container {container}  Waiting\ncontainer {container} is unhealthy\n")
        if "--remove-orphans" in args:
            gone = [n for n, c in own.items() if c["Config"]["Labels"][f"{LABEL}.service"] not in services]
            self.containers = {n: c for n, c in self.containers.items() if n not in gone}
        return Answer(0, "", "")

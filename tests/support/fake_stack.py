# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An engine in memory with a stack in it, whose volumes are folders; it can be told to die at a call."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.engine import Answer

LABEL = "com.docker.compose"


class Killed(BaseException):
    """What a process that is killed does not handle."""


class FakeStack:
    """Stands in for ``run_command``; ``services`` is what the Compose file of project archon says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.containers: dict[str, dict[str, Any]] = {}
        self.networks: dict[str, str] = {"bridge": ""}
        self.volumes: dict[str, dict[str, Any]] = {}
        self.calls: list[list[str]] = []
        self.memory = "270MiB / 2GiB"
        self.compose = True
        self.broken = False
        self.digests = ["registry/app@sha256:1"]
        self.services: list[str] = ["mcp", "server", "ui"]
        self.die_at: Optional[int] = None
        self.die_after = False

    def start(self) -> None:
        self._up()

    def add(
        self, name: str, *, project: str = "", service: str = "", networks: Sequence[str] = (), **more: Any
    ) -> None:
        directory = str(self.folder / "archon")
        labels = {
            f"{LABEL}.project": project,
            f"{LABEL}.service": service,
            f"{LABEL}.config-hash": f"hash-{service}",
            f"{LABEL}.project.working_dir": directory,
            f"{LABEL}.project.config_files": f"{directory}/docker-compose.yml",
        }
        self.containers[name] = {
            "Id": f"id-{name}",
            "Name": f"/{name}",
            "Image": f"sha256:{service or name}",
            "Config": {
                "Image": f"{service or name}:1",
                "Env": ["PATH=/bin", "API_KEY=top-secret"],
                "Cmd": ["serve"],
                "Labels": {**(labels if project else {}), **more.get("labels", {})},
            },
            "HostConfig": {"NetworkMode": "default", "RestartPolicy": {"Name": "no"}},
            "State": {"Status": more.get("status", "running")},
            "NetworkSettings": {"Networks": {network: {} for network in networks}},
            "Mounts": [
                {"Type": "volume", "Name": volume, "Source": "", "Destination": "/data", "RW": True}
                for volume in more.get("volumes", ())
            ],
        }

    def volume(self, name: str, text: str = "precious") -> Path:
        place = self.folder / "volumes" / name
        place.mkdir(parents=True)
        (place / "data").write_text(text)
        self.volumes[name] = {
            "Name": name, "Driver": "local", "Mountpoint": str(place), "Labels": {f"{LABEL}.project": "archon"},
        }  # fmt: skip
        return place

    @property
    def writes(self) -> list[str]:
        reads = {"ps", "inspect", "ls", "stats", "version", "config"}
        return [" ".join(one) for one in self.calls if not reads & set(one) and "--compare" not in one]

    def __call__(self, argv: Sequence[str], timeout: Optional[float] = None) -> Answer:
        self.calls.append(list(argv[1:]))
        here = self.die_at is not None and len(self.calls) == self.die_at
        if here and not self.die_after:
            raise Killed
        answer = self._answer(list(argv))
        if here:
            raise Killed
        return answer

    def _answer(self, argv: list[str]) -> Answer:
        if argv[0] == "tar":
            done = subprocess.run(
                [word for word in argv if word not in ("--acls", "--xattrs")],
                capture_output=True,
                text=True,
                check=False,
            )
            return Answer(done.returncode, done.stdout, done.stderr)
        return getattr(self, f"_{argv[1]}")(argv[2:])

    def _ps(self, _args: list[str]) -> Answer:
        return Answer(0, "\n".join(one["Id"] for one in self.containers.values()), "")

    def _container(self, args: list[str]) -> Answer:
        return Answer(0, json.dumps([one for one in self.containers.values() if one["Id"] in args]), "")

    def _image(self, args: list[str]) -> Answer:
        if args[0] == "rm":
            return Answer(0, "", "")
        found = [
            {"Id": one["Image"], "RepoDigests": self.digests, "Config": {"Env": ["PATH=/bin"]}}
            for one in self.containers.values()
        ]
        return Answer(0, json.dumps(found), "")

    def _network(self, args: list[str]) -> Answer:
        if args[0] == "rm":
            return (
                Answer(0, "", "") if self.networks.pop(args[1], None) is not None else Answer(1, "", "No such network")
            )
        if args[0] == "inspect":
            return Answer(0, json.dumps([{"Name": name} for name in args[1:] if name in self.networks]), "")
        return Answer(
            0, "\n".join(f"{name}\t{owner}\t{'default' if owner else ''}" for name, owner in self.networks.items()), ""
        )

    def _volume(self, args: list[str]) -> Answer:
        if args[0] == "rm":
            if args[1] not in self.volumes:
                return Answer(1, "", "no such volume")
            shutil.rmtree(self.volumes.pop(args[1])["Mountpoint"])
            return Answer(0, "", "")
        if args[0] == "create":
            shutil.rmtree(self.volume(args[-1]))
            Path(self.volumes[args[-1]]["Mountpoint"]).mkdir()
            options = [after for word, after in zip(args, args[1:]) if word == "--opt"]
            self.volumes[args[-1]]["Options"] = dict(word.split("=", 1) for word in options)
            return Answer(0, "", "")
        if args[0] == "inspect":
            return Answer(0, json.dumps([self.volumes[name] for name in args[1:] if name in self.volumes]), "")
        return Answer(
            0, "\n".join(f"{name}\t{one['Labels'][f'{LABEL}.project']}" for name, one in self.volumes.items()), ""
        )

    def _stats(self, args: list[str]) -> Answer:
        wanted = [word for word in args if word.startswith("id-")]
        rows = [
            f"{name}\t{self.memory}"
            for name, one in self.containers.items()
            if one["State"]["Status"] == "running" and (not wanted or one["Id"] in wanted)
        ]
        return Answer(0, "\n".join(rows), "")

    def _stop(self, args: list[str]) -> Answer:
        for one in self.containers.values():
            if one["Id"] in args:
                one["State"]["Status"] = "exited"
        return Answer(0, "", "")

    def _rm(self, args: list[str]) -> Answer:
        self.containers = {name: one for name, one in self.containers.items() if one["Id"] not in args}
        return Answer(0, "", "")

    def _compose(self, args: list[str]) -> Answer:
        if not self.compose:
            return Answer(1, "", "docker: 'compose' is not a docker command.")
        if "version" in args:
            return Answer(0, "2.26.1\n", "")
        if "config" in args:
            return self._config(args)
        if "down" in args:
            self.containers = {
                name: one for name, one in self.containers.items()
                if one["Config"]["Labels"].get(f"{LABEL}.project") != args[args.index("-p") + 1]
            }  # fmt: skip
            used = {network for one in self.containers.values() for network in one["NetworkSettings"]["Networks"]}
            self.networks = {name: owner for name, owner in self.networks.items() if not owner or name in used}
            return Answer(0, "", "")
        self._up()
        return Answer(0, "", "")

    def _config(self, args: list[str]) -> Answer:
        if "--hash" in args:
            text = Path(args[args.index("-f") + 1]).read_text()
            return Answer(
                0,
                "".join(f"{name} hash-{name}\n" for name in self.services if f"{name}:" in text or f'"{name}"' in text),
                "",
            )
        if self.broken and "-p" in args:
            return Answer(15, "", "yaml: line 3: top-secret")
        text = Path(args[args.index("-f") + 1]).read_text()
        return Answer(
            0,
            "name: archon\nservices:\n" + "".join(f"  {name}: {{}}\n" for name in self.services)
            if "-p" in args
            else text,
            "",
        )

    def _up(self) -> None:
        self.networks.setdefault("archon_default", "archon")
        for service in self.services:
            name = f"archon-{service}"
            if name in self.containers:
                self.containers[name]["State"]["Status"] = "running"
                continue
            volumes = ["archon_data"] if service == "server" else []
            self.add(name, project="archon", service=service, networks=["archon_default", "shared"], volumes=volumes)

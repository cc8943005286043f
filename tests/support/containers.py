"""Live servers in containers of our own, published on loopback, removed afterwards."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import pytest


def docker(*args: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *args], capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        pytest.fail(f"docker {' '.join(args)}: {done.stderr.strip()}")
    return done.stdout.strip()


@dataclass
class Container:
    """A running container; ``port(6379)`` is where that port is published on 127.0.0.1."""

    name: str
    host: str = "127.0.0.1"

    def port(self, inside: int) -> int:
        return int(docker("port", self.name, f"{inside}/tcp").splitlines()[0].rsplit(":", 1)[1])

    def inspect(self) -> dict[str, Any]:
        return json.loads(docker("inspect", self.name))[0]

    def exec(self, *argv: str) -> str:
        return docker("exec", self.name, *argv)

    def logs(self) -> str:
        done = subprocess.run(["docker", "logs", self.name], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def stop(self) -> int:
        """The status with which it ended when told to; 137 where it had to be killed after a minute."""
        docker("stop", "-t", "60", self.name)
        return int(self.inspect()["State"]["ExitCode"])

    def wait(self, ready: Callable[[], bool], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(Exception, pytest.fail.Exception):
                if ready():
                    return
            time.sleep(0.2)
        pytest.fail(f"{self.name} was not ready within {seconds} s; its last lines: {self.logs()[-2000:]}")


def start(
    image: str,
    *,
    env: Optional[dict[str, str]] = None,
    ports: Sequence[int] = (),
    args: Sequence[str] = (),
    options: Sequence[str] = (),
) -> Container:
    name = f"pm-contract-{secrets.token_hex(4)}"
    command = ["run", "-d", "--name", name, "--label", "planner-memory.test=contract"]
    for key, value in (env or {}).items():
        command += ["-e", f"{key}={value}"]
    for port in ports:
        command += ["-p", f"127.0.0.1::{port}"]
    docker(*command, *options, image, *args)
    return Container(name)

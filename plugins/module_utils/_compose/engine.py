# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The docker command line: one look at everything, and the few commands that change something."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Collection, Mapping, Optional, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.model import CPU_DIGITS, Port
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError, Unreachable

LABEL = "com.docker.compose"
LOG_LINES = 20
# Seconds after which a command that gave no answer is ended: a look, a change beyond what it waits for, images that
# are pulled or built besides, and a backup as long as a large volume takes.
LOOK_SECONDS = 60.0
CHANGE_SECONDS = 120.0
PULL_SECONDS = 1800.0
BACKUP_SECONDS = 4 * 3600.0
GRACE_SECONDS = 10.0
TIMED_OUT = 124
FAILURE = re.compile(r"^(?!warning).*(error|cannot connect|denied)", re.IGNORECASE)
# A name that Compose has yet to fill in is no reference for the engine.
MISSING = re.compile(r"no such|not found|invalid reference", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    rc: int
    out: str
    err: str


@dataclass(frozen=True)
class Container:
    """What an inspection says, reduced to what is compared or reported."""

    id: str
    name: str
    project: str
    service: str
    number: int
    one_off: bool
    config_hash: str
    image_id: str
    image: str
    status: str
    exit_code: int
    oom_killed: bool
    health: str
    restart_count: int
    started_at: str
    memory: int
    memory_swap: int
    cpus: float
    restart: str
    networks: Mapping[str, str]
    ports: tuple[Port, ...] = ()
    health_output: str = ""


@dataclass(frozen=True)
class Snapshot:
    """The engine at one moment; ``engine`` says why nothing could be asked, or is empty."""

    engine: str = ""
    containers: tuple[Container, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    networks: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)


def run_command(argv: Sequence[str], timeout: Optional[float] = None) -> Answer:
    """Run one command, away from any Compose file that lies about where the module was started."""
    environment = {key: value for key, value in os.environ.items() if key != "COMPOSE_FILE"}
    try:
        with subprocess.Popen(
            list(argv), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
            stdin=subprocess.DEVNULL, cwd="/",
            env={**environment, "COMPOSE_ANSI": "never", "COMPOSE_MENU": "false"},
        ) as process:  # fmt: skip
            try:
                out, err = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                _end(process)
                return Answer(TIMED_OUT, "", f"no answer within {timeout:g} s")
            except BaseException:
                process.kill()
                raise
    except FileNotFoundError:
        return Answer(127, "", "docker is not installed")
    return Answer(process.returncode, out, err)


def _end(process: subprocess.Popen[str]) -> None:
    """Let docker end what it started; what still holds the output open after that is not waited for."""
    process.terminate()
    try:
        process.communicate(timeout=GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def image_name(reference: str) -> str:
    """A reference in the short form in which the engine lists tags."""
    name = reference
    for prefix in ("docker.io/", "index.docker.io/", "library/"):
        if name.startswith(prefix):
            name = name[len(prefix) :]
    return name if "@" in name or ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"


def read_container(data: Mapping[str, Any]) -> Container:
    labels = data["Config"].get("Labels") or {}
    state, host = data["State"], data["HostConfig"]
    health = state.get("Health") or {}
    policy = host.get("RestartPolicy") or {}
    retries = policy.get("MaximumRetryCount") or 0
    number = labels.get(f"{LABEL}.container-number", "1")
    log = health.get("Log") or []
    return Container(
        id=data["Id"],
        name=data["Name"].lstrip("/"),
        project=labels.get(f"{LABEL}.project", ""),
        service=labels.get(f"{LABEL}.service", ""),
        number=int(number) if number.isdigit() else 1,
        one_off=labels.get(f"{LABEL}.oneoff") == "True",
        config_hash=labels.get(f"{LABEL}.config-hash", ""),
        image_id=data["Image"],
        image=data["Config"]["Image"],
        status=state["Status"],
        exit_code=state.get("ExitCode", 0),
        oom_killed=bool(state.get("OOMKilled")),
        health=health.get("Status", "none"),
        restart_count=data.get("RestartCount", 0),
        started_at=state.get("StartedAt", ""),
        memory=host.get("Memory") or 0,
        memory_swap=host.get("MemorySwap") or 0,
        cpus=round((host.get("NanoCpus") or 0) / 1e9, CPU_DIGITS),
        restart=(policy.get("Name") or "no") + (f":{retries}" if retries else ""),
        networks={
            name: (network or {}).get("NetworkID", "")
            for name, network in (data.get("NetworkSettings", {}).get("Networks") or {}).items()
        },
        ports=tuple(
            Port(bound.get("HostIp", ""), bound.get("HostPort", ""), inside)
            for inside, bindings in (data.get("NetworkSettings", {}).get("Ports") or {}).items()
            for bound in bindings or ()
        ),
        health_output=str(log[-1].get("Output", "")).strip() if log else "",
    )


class Engine:
    def __init__(self, run: Callable[..., Answer] = run_command, docker: Optional[str] = None) -> None:
        self._run = run
        self._docker = docker or shutil.which("docker") or "docker"

    def docker(self, *args: str, timeout: Optional[float] = None) -> Answer:
        return self._run([self._docker, *args], timeout=timeout)

    def _timely(self, what: str, *args: str, timeout: float) -> Answer:
        answer = self.docker(*args, timeout=timeout)
        if answer.rc == TIMED_OUT:
            raise StackError(
                f"{what} did not end within {timeout:g} s and was stopped; see whether the host or the image registry"
                " is slow, then run again, with a longer wait_timeout where the containers need it",
                command=["docker", *args],
            )
        return answer

    def must(self, what: str, *args: str, timeout: float = LOOK_SECONDS) -> str:
        answer = self._timely(what, *args, timeout=timeout)
        if answer.rc != 0:
            raise StackError(f"{what} failed: {last_words(answer.err)}", command=["docker", *args])
        return answer.out

    def compose_version(self) -> str:
        answer = self.docker("compose", "version", "--short", timeout=30)
        return answer.out.strip() if answer.rc == 0 else ""

    def snapshot(
        self,
        projects: Collection[str],
        names: Collection[str],
        images: Collection[str],
        networks: Collection[str],
        volumes: bool = False,
    ) -> Snapshot:
        """Everything that concerns these projects: one listing, then one inspection of each kind at once."""
        form = f'{{{{.ID}}}}\t{{{{.Names}}}}\t{{{{.Label "{LABEL}.project"}}}}'
        listing = self.docker("ps", "-a", "--no-trunc", "--format", form, timeout=60)
        if listing.rc != 0:
            return Snapshot(engine=last_words(listing.err) or "docker does not answer")
        ids = [
            line[0] for line in (row.split("\t") for row in listing.out.splitlines())
            if len(line) == 3 and (line[2] in projects or set(line[1].split(",")) & set(names))
        ]  # fmt: skip
        with ThreadPoolExecutor(4) as pool:
            inspected = pool.submit(self._inspect, ids)
            pictures = pool.submit(
                self._pairs, "image", "{{range .RepoTags}}{{println . $.Id}}{{end}}",
                sorted({image_name(one) for one in images}),
            )  # fmt: skip
            nets = pool.submit(self._pairs, "network", "{{.Name}} {{.Id}}", sorted(networks))
            vols = pool.submit(self._volumes) if volumes else None
            return Snapshot(
                containers=tuple(sorted(inspected.result(), key=lambda one: (one.project, one.service, one.number))),
                images=pictures.result(),
                networks=nets.result(),
                volumes=vols.result() if vols else {},
            )

    def _inspect(self, ids: Sequence[str]) -> list[Container]:
        if not ids:
            return []
        answer = self._looked("container", "inspect", *ids)
        try:
            return [read_container(one) for one in json.loads(answer.out or "[]")]
        except (ValueError, KeyError) as error:
            raise Unreachable(f"docker container inspect answered nonsense: {last_words(answer.err)}") from error

    def _looked(self, *args: str) -> Answer:
        """An inspection; that something is not there is an answer, that the engine gave none must not look like it."""
        answer = self.docker(*args, timeout=60)
        failed = [line for line in answer.err.splitlines() if FAILURE.search(line) and not MISSING.search(line)]
        if answer.rc in (124, 127) or (answer.rc != 0 and failed):
            told = last_words("\n".join(failed) or answer.err)
            raise Unreachable(f"the Docker engine did not answer to docker {args[0]} inspect: {told}")
        return answer

    def _pairs(self, kind: str, form: str, names: Sequence[str]) -> dict[str, str]:
        """Name and id of what exists; docker reports the missing ones on stderr, which is no error here."""
        if not names:
            return {}
        answer = self._looked(kind, "inspect", "--format", form, *names)
        rows = (row.rsplit(" ", 1) for row in answer.out.splitlines())
        return {row[0]: row[1] for row in rows if len(row) == 2}

    def _volumes(self) -> dict[str, str]:
        form = f'{{{{.Name}}}}\t{{{{.Label "{LABEL}.project"}}}}'
        out = self.must("listing the volumes", "volume", "ls", "--format", form)
        return dict(row.split("\t", 1) for row in out.splitlines() if "\t" in row)

    def compose(
        self, project: str, directory: Optional[Path], *args: str, timeout: float = LOOK_SECONDS
    ) -> Answer:  # fmt: skip
        where = ["-f", str(directory / "docker-compose.yml")] if directory else []
        verb = next(word for word in args if not word.startswith("-"))
        what = f"docker compose {verb} of project '{project}'"
        return self._timely(what, "compose", "-p", project, *where, *args, timeout=timeout)

    def copy_out(self, container: str, path: str, target: Path) -> None:
        """Keep a path of a container, running or not, as a tar file."""
        stream_to_tar([self._docker, "cp", f"{container}:{path}", "-"], target)

    def logs(self, container: str) -> list[str]:
        answer = self.docker("logs", "--tail", str(LOG_LINES), container, timeout=30)
        return (answer.out + answer.err).splitlines()[-LOG_LINES:]


def last_words(text: str) -> str:
    """The lines of a tool's error output that are not progress, as one line."""
    progress = ("Container ", "Network ", "Volume ", "DRY-RUN", "time=")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(progress)] or lines
    return " ".join(told[-3:])


def stream_to_tar(argv: Sequence[str], target: Path, timeout: float = BACKUP_SECONDS) -> None:
    """Keep the output of a command as a tar file that was read back once."""
    partial = target.with_suffix(".part")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            done = subprocess.run(list(argv), stdout=out, stderr=subprocess.PIPE, check=False, timeout=timeout)
        if done.returncode != 0:
            raise StackError(f"the backup {target} failed: {last_words(done.stderr.decode(errors='replace'))}")
        with tarfile.open(partial) as archive:
            archive.getmembers()
        os.replace(partial, target)
    except subprocess.TimeoutExpired:
        raise StackError(
            f"the backup {target} was not complete within {timeout:g} s; back the volume up by hand and remove it then"
        ) from None
    except (OSError, tarfile.TarError) as error:
        raise StackError(f"the backup {target} cannot be written: {error}") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()

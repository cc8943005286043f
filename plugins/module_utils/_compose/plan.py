# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pure decisions: what a project looks like, what it shall look like, and the steps between."""

from __future__ import annotations

from typing import Any, Collection, Iterator, Mapping, Optional

from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.engine import (
    Container,
    Snapshot,
    image_name,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.files import (
    COMPOSE_FILE,
    Found,
    shown,
    shown_as_wanted,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.model import Service, interpolated
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.project import Project, Record
from ansible_collections.bestviable.planner_memory.plugins.module_utils._docker import RECORD_FILE
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation

CURRENT = "current"
RUNS = ("running", "restarting", "paused")
View = dict[str, Any]


def key_of(service: Service, number: int) -> str:
    return service.name if service.replicas == 1 else f"{service.name}-{number}"


def keys_of(project: Project) -> set[str]:
    return {key_of(one, number) for one in project.services.values() for number in range(1, one.replicas + 1)}


def extra_key(project: Project, one: Container) -> str:
    """What a container is called that has no place in the definition, even where its name is that of a place."""
    return f"{one.name} ({one.id[:12]})" if one.name in keys_of(project) else one.name


def wanted(project: Project, current: View) -> View:
    """The state after the run."""
    if project.state == "absent":
        return {key: type(value)() for key, value in current.items()}
    files = {one.path: shown_as_wanted(one) for one in project.files}
    if project.state == "stopped":
        return {"files": files, "containers": {key: {"status": "stopped"} for key in current["containers"]}}
    containers = {
        key_of(service, number): _wanted_container(service)
        for service in project.services.values()
        for number in range(1, service.replicas + 1)
    }
    return {"files": files, "containers": containers, "record": CURRENT}


def _wanted_container(service: Service) -> View:
    return _managed(
        service,
        {
            "definition": CURRENT,
            "image": service.image,
            "status": "once" if service.runs_once else "running",
            "memory": service.memory,
            "memory_swap": service.memory_swap,
            "cpus": service.cpus,
            "restart": service.restart,
            "networks": list(service.networks or ()),
        },
    )


def _managed(service: Service, view: View) -> View:
    left_out = {
        name for name in ("memory", "memory_swap", "cpus", "restart", "networks") if getattr(service, name) is None
    }
    return {name: value for name, value in view.items() if name not in left_out}


def view(
    project: Project, found: Mapping[str, Found], record: Optional[Record], snapshot: Snapshot,
    remade: Collection[str] = (), remove_volumes: bool = False,
) -> View:  # fmt: skip
    """The live state in normal form.

    :param found: files on disk, by path
    :param remade: names of containers that Compose itself would make anew, asked where no record says it
    """
    ran = record if record and record.services else None
    known = {one.path: one for one in project.files}
    files = {path: shown(known.get(path), file) for path, file in sorted(found.items())}
    own = [one for one in snapshot.containers if one.project == project.name and not one.one_off]
    if project.state == "absent":
        return _view_of_absent(project, found, snapshot, own, remove_volumes)
    if project.state == "stopped":
        halted = {one.name: {"status": "running" if one.status in RUNS else "stopped"} for one in own}
        return {"files": files, "containers": halted, **_writer(project, own, found, record)}
    containers = dict(_containers(project, own, found, ran, snapshot, remade))
    foreign = {
        one.name: f"project {one.project}" if one.project else "no project"
        for one in snapshot.containers
        if one.project != project.name and one.name in {service.container for service in project.services.values()}
    }
    result: View = {"files": files, "containers": containers, "record": _record_state(project, ran)}
    result.update(_writer(project, own, found, record))
    return {**result, "foreign": foreign} if foreign else result


def _writer(project: Project, own: list[Container], found: Mapping[str, Found], record: Optional[Record]) -> View:
    """Says so when containers run from a definition that nobody asked this module to replace."""
    there = found.get(COMPOSE_FILE)
    ours = record is not None or not own or (there is not None and there.sha == project.shas().get(COMPOSE_FILE))
    return {} if ours else {"written_by": "somebody else"}


def _view_of_absent(
    project: Project, found: Mapping[str, Found], snapshot: Snapshot, own: list[Container], remove_volumes: bool
) -> View:
    """The record stays as long as volumes do, because it says whose they are."""
    volumes = sorted(name for name, owner in snapshot.volumes.items() if owner == project.name)
    keep = bool(volumes) and not remove_volumes
    gone: View = {
        "files": {
            path: {"mode": file.mode} for path, file in sorted(found.items()) if not (keep and path == RECORD_FILE)
        },
        "containers": {one.name: status(one) for one in own},
    }
    return {**gone, "volumes": volumes} if remove_volumes else gone


def _record_state(project: Project, record: Optional[Record]) -> str:
    if record is None:
        return "missing"
    parts = {name: project.parts(service) for name, service in project.services.items()}
    noted = {name: service.get("parts") for name, service in record.services.items()}
    return CURRENT if record.files == project.shas() and noted == parts else "outdated"


def _containers(
    project: Project, own: list[Container], found: Mapping[str, Found], record: Optional[Record],
    snapshot: Snapshot, remade: Collection[str],
) -> Iterator[tuple[str, View]]:  # fmt: skip
    seen: set[str] = set()
    for one in sorted(own, key=lambda one: _is_stray(project, one)):
        service = project.services.get(one.service)
        key = key_of(service, one.number) if service else one.name
        if service is None or one.number > service.replicas or key in seen:
            yield extra_key(project, one), {"extra": "orphan" if service is None else f"one too many of {service.name}"}
            continue
        seen.add(key)
        yield (
            key,
            _managed(
                service,
                {
                    "definition": _origin(project, service, one, found, record, one.name in remade),
                    "image": _image(service, one, snapshot),
                    "status": status(one, service),
                    "memory": one.memory,
                    # Where the kernel does not count swap, the engine makes any bound of it -1.
                    "memory_swap": service.memory_swap if one.memory_swap == -1 else one.memory_swap,
                    "cpus": one.cpus,
                    "restart": one.restart,
                    "networks": _networks(one, snapshot),
                    **({"name": one.name} if service.container and one.name != service.container else {}),
                },
            ),
        )


def _is_stray(project: Project, one: Container) -> bool:
    """Compose makes a container anew under another name at first; a run that was killed then leaves both."""
    service = project.services.get(one.service)
    return service is not None and one.name != (service.container or f"{project.name}-{one.service}-{one.number}")


def _origin(
    project: Project, service: Service, one: Container, found: Mapping[str, Found], record: Optional[Record],
    remade: bool,
) -> str:  # fmt: skip
    """CURRENT, or why this container is not made from what is asked for now."""
    if record is None:
        return "created from another definition" if remade else CURRENT
    noted = record.services.get(service.name) or {}
    parts = project.parts(service)
    if (noted.get("hashes") or {}).get(str(one.number)) != one.config_hash:
        return "created from another definition"
    old = noted.get("parts") or {}
    changed = [name for name in sorted({*parts, *old}) if parts.get(name) != old.get(name)]
    if changed:
        return " and ".join(changed) + " changed"
    edited = [
        file.path for file in project.files
        if f"its file {file.path}" in parts and (file.path not in found or found[file.path].sha != file.sha)
    ]  # fmt: skip
    return f"its file {edited[0]} was edited" if edited else CURRENT


def _image(service: Service, one: Container, snapshot: Snapshot) -> str:
    if interpolated(service.image):  # only Compose knows it; what it is made of has a hash
        return service.image
    if image_name(one.image) != image_name(service.image):
        return one.image
    tagged = snapshot.images.get(image_name(service.image))
    return service.image if tagged in (None, one.image_id) else f"{service.image} (another build)"


def _networks(one: Container, snapshot: Snapshot) -> list[str]:
    names = []
    for name, network_id in one.networks.items():
        if name not in snapshot.networks:
            names.append(f"{name} (gone)" if one.status in RUNS or network_id else name)
        elif network_id and network_id != snapshot.networks[name]:
            names.append(f"{name} (an earlier one)")
        else:
            names.append(name)
    return sorted(names)


def status(one: Container, service: Optional[Service] = None) -> str:
    if (
        service is not None
        and service.runs_once
        and (one.status == "running" or (one.status == "exited" and one.exit_code == 0))
    ):
        return "once"
    if one.status == "running":
        return "unhealthy" if one.health == "unhealthy" else "running"
    if one.status == "exited":
        return f"exited with {one.exit_code}" + (", killed for memory" if one.oom_killed else "")
    if one.status == "restarting":
        return f"restarting again and again, last exit code {one.exit_code}"
    return {"created": "never started"}.get(one.status, one.status)


def edited(project: Project, found: Mapping[str, Found], record: Optional[Record]) -> set[str]:
    """Files that somebody else changed: what is there neither the last run wrote nor one that did not end well."""
    return {
        one.path for one in project.files
        if record is not None and record.files.get(one.path) == one.sha
        and one.path in found and found[one.path].sha not in (one.sha, record.writing.get(one.path))
    }  # fmt: skip


def operations(project: Project, now: View, then: View, edited: Collection[str], adopt: bool) -> list[Operation]:
    if project.state == "absent":
        return list(_absent(project, now))
    if "written_by" in now and not adopt:
        raise StackError(
            f"project '{project.name}' runs from a {COMPOSE_FILE} that this module did not write; compare it with the"
            " definition, then let it be replaced with adopt: true"
        )
    steps = list(_file_steps(project, now, then, edited))
    if project.state == "stopped":
        steps += [
            _step(project, "stop", name, f"stop {name}")
            for name, container in now["containers"].items() if container["status"] == "running"
        ]  # fmt: skip
        return steps
    steps += list(_foreign_steps(project, now, adopt))
    for key in sorted({*then["containers"], *now["containers"]}):
        steps += _container_step(project, key, now["containers"].get(key), then["containers"].get(key))
    if not steps and now["record"] != CURRENT:
        steps.append(_step(project, "note", project.name, f"note what runs (the note of it was {now['record']})"))
    return steps


def _step(project: Project, verb: str, target: str, what: str) -> Operation:
    return Operation(verb, target, f"{project.name}: {what}", {"project": project.name})


def _file_steps(project: Project, now: View, then: View, edited: Collection[str]) -> Iterator[Operation]:
    for path, file in then["files"].items():
        there = now["files"].get(path)
        if there == file:
            continue
        if there is None:
            word = "write"
        elif {**there, "mode": "", "owner": ""} == {**file, "mode": "", "owner": ""}:
            kind = "mode" if there["mode"] != file["mode"] else "owner"
            word = f"set {kind} {file[kind]} of"
        elif path in edited:
            word = "mend"
        else:
            word = "update"
        yield _step(project, "write", path, f"{word} {path}" + (" (edited by hand)" if word == "mend" else ""))
    for path in sorted(set(now["files"]) - set(then["files"])):
        yield _step(project, "remove_file", path, f"remove {path}")


def _foreign_steps(project: Project, now: View, adopt: bool) -> Iterator[Operation]:
    for name, owner in (now.get("foreign") or {}).items():
        if not adopt:
            raise StackError(
                f"a container named '{name}' is there and belongs to {owner}, not to project '{project.name}';"
                " remove or rename it, or let it be replaced with adopt: true"
            )
        yield _step(project, "adopt", name, f"remove container {name} of {owner} (adopted)")


def _container_step(project: Project, key: str, now: Optional[View], then: Optional[View]) -> list[Operation]:
    label = "" if key == project.name else f" {key}"
    if then is None:
        return [_step(project, "remove", key, f"remove{label} ({(now or {}).get('extra')})")]
    if now is None:
        return [_step(project, "create", key, f"create{label}")]
    reasons = list(_reasons(now, then))
    if reasons and now["status"].startswith("exited"):
        reasons.append(f"container {now['status']}")
    if reasons:
        return [_step(project, "recreate", key, f"recreate{label} ({'; '.join(reasons)})")]
    if now["status"] == then["status"]:
        return []
    if now["status"] == "paused":
        return [_step(project, "unpause", key, f"unpause{label} (container is paused)")]
    return [_step(project, "start", key, f"start{label} (container {_was(now['status'])})")]


def _was(state: str) -> str:
    return state if state.startswith("exited") else f"was {state}"


def _reasons(now: View, then: View) -> Iterator[str]:
    """Why a container must be made anew."""
    if now["definition"] != CURRENT:
        yield now["definition"]
    if "name" in now:
        yield f"it was renamed to {now['name']}"
    if now["image"] == f"{then['image']} (another build)":
        yield f"{then['image']} was built or pulled again since"
    elif now["image"] != then["image"]:
        yield f"image is {now['image']} instead of {then['image']}"
    if "memory" in then and now["memory"] != then["memory"]:
        yield f"memory limit is {_size(now['memory'])} instead of {_size(then['memory'])}"
    if "memory_swap" in then and now["memory_swap"] != then["memory_swap"]:
        yield f"limit of memory and swap is {_size(now['memory_swap'])} instead of {_size(then['memory_swap'])}"
    if "cpus" in then and now["cpus"] != then["cpus"]:
        yield f"CPU limit is {now['cpus'] or 'none'} instead of {then['cpus'] or 'none'}"
    if "restart" in then and now["restart"] != then["restart"]:
        yield f"restart policy is {now['restart']} instead of {then['restart']}"
    if "networks" in then:
        yield from _network_reasons(set(now["networks"]), set(then["networks"]), now["definition"] == CURRENT)
    if now["status"] == "unhealthy" or now["status"].startswith("restarting") or now["status"] == "dead":
        yield f"container is {now['status']}"


def _network_reasons(now: set[str], then: set[str], by_hand: bool) -> Iterator[str]:
    for name in sorted(now - then):
        base = name.split(" ")[0]
        if name.endswith("(gone)") and base in then:
            yield f"network {base} is gone"
        elif name.endswith("(an earlier one)") and base in then:
            yield f"network {base} was made anew"
        else:
            yield f"attached to network {base}" + (" by hand" if by_hand else "")
    for name in sorted(then - {one.split(" ")[0] for one in now}):
        yield f"not attached to network {name}"


def _size(amount: int) -> str:
    if not amount:
        return "none"
    return f"{amount // 1024**2}m" if amount % 1024**2 == 0 else f"{amount} bytes"


def _absent(project: Project, now: View) -> Iterator[Operation]:
    for name in now["containers"]:
        yield _step(project, "down", name, f"remove container {name}")
    for name in now.get("volumes", ()):
        yield _step(project, "remove_volume", name, f"back up volume {name} and remove it")
    for path in now["files"]:
        yield _step(project, "remove_file", path, f"remove {path}")


def needs_confirmation(project: Project, now: View, confirmed: Collection[str]) -> None:
    volumes = now.get("volumes") or []
    if volumes and project.name not in confirmed:
        raise StackError(
            f"remove_volumes would delete the data of project '{project.name}' ({', '.join(volumes)}); say so with"
            f" confirm_data_loss: [{project.name}]"
        )

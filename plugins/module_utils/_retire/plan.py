# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps into retirement and back: pure decisions over what was seen."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation, Plan
from ansible_collections.bestviable.planner_memory.plugins.module_utils._retire.model import (
    Archive,
    Live,
    Wish,
    human,
    label,
    megabytes,
    name_of,
    networks_of,
    running,
    service_of,
    unlike_archive,
    users,
    volumes_of,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._retire.volumes import (
    anonymous,
    elsewhere,
    folder_of,
)


def retired_view(live: Live) -> dict[str, Any]:
    archive = live.archive
    return {
        "containers": {
            name_of(one): {"image": one["Config"]["Image"], "project": label(one, "project") or None}
            for one in live.containers
        },
        "networks": sorted(live.networks),
        "volumes": {name: {"backup": name in archive.backups} for name in sorted(live.volumes)},
        "images": sorted(live.images),
        "archive": {"path": archive.path, "mode": archive.mode} if archive.complete else None,
        "note": live.note,
    }


def plan_retired(live: Live, wish: Wish, current: Mapping[str, Any]) -> Plan:
    """Archive, stop, back up, remove, in this order, so that a run that is killed is simply run again.

    :raises StackError: what is left of the stack cannot be kept as was asked
    """
    lone = [name for name in live.networks if not users(name, live.others)]
    if not (live.containers or lone or live.archive.complete or live.note):
        return Plan(current, current)
    if live.archive.foreign:
        raise StackError(
            f"{live.archive.path} is there, but no {live.archive.stem}.json that tells of it, so it is no archive of "
            f"{wish.name}; nothing was stopped, move it away, then run again"
        )
    nothing = not (live.containers or live.volumes or live.archive.complete or live.note)
    kept = [] if nothing else [*_archive(live), *_backups(live, wish)]
    steps = [*kept, *_removals(live, wish), *_extras(live, wish)]
    if not steps and (not live.note or wish.keep_note):
        return Plan(current, current)
    if not wish.keep_note:
        steps.append(Operation("finish", live.archive.stem, "remove the note that the retirement goes on"))
    backed = {step.target for step in steps if step.verb == "backup"} | set(live.archive.backups)
    after = {
        "containers": {},
        "networks": [name for name in sorted(live.networks) if users(name, live.others)],
        "volumes": {name: {"backup": name in backed} for name in sorted(live.volumes) if name not in _gone(steps)},
        "images": [name for name in sorted(live.images) if name not in _gone(steps)],
        "archive": None if nothing else {"path": live.archive.path, "mode": "0600"},
        "note": wish.keep_note,
    }
    return Plan(current, after, tuple(steps), tuple(_warnings(live, wish, steps)))


def _archive(live: Live) -> list[Operation]:
    archive = live.archive
    if not archive.complete:
        names = ", ".join(name_of(one) for one in live.containers) or "no container"
        return [Operation("archive", archive.path, f"archive the configuration of {names} in {archive.path}")]
    for one in live.containers:
        why = unlike_archive(one, archive.sidecar)
        if why:
            raise StackError(
                f"{archive.path} is today's archive and does not hold {name_of(one)} as it is now: {why}; "
                "move the archive and what is named like it away, then run again"
            )
    if archive.mode != "0600":
        return [Operation("mode", archive.path, f"set mode 0600 of {archive.path}")]
    return []


def _backups(live: Live, wish: Wish) -> list[Operation]:
    lacking = [name for name in sorted(live.volumes) if name not in live.archive.backups or name in live.stale]
    wanted = lacking if wish.backup_volumes else []
    for name in wanted:
        if not folder_of(live.volumes[name]):
            raise StackError(
                f"volume {name} has {_driver(live.volumes[name])} and cannot be read as a folder while no container "
                "uses it; nothing was stopped, back it up yourself and set backup_volumes to false"
            )
    busy = [one for one in live.containers if running(one) and set(volumes_of(one)) & set(wanted)]
    folder = f"{live.archive.stem}.volumes"
    steps = []
    if busy:
        names = ", ".join(map(name_of, busy))
        steps.append(Operation("stop", names, f"stop {names}", {"ids": [one["Id"] for one in busy]}))
    for name in wanted:
        words = f"back up volume {name} ({human(live.sizes.get(name, 0))}) in {folder}"
        if name in live.archive.backups:
            words += f", beside {live.archive.backups[name]}, which is older than what the volume holds"
        steps.append(Operation("backup", name, words, {"source": folder_of(live.volumes[name])}))
    return steps


def _driver(volume: Mapping[str, Any]) -> str:
    kind = (volume.get("Options") or {}).get("type")
    return f"the driver {volume.get('Driver')}" + (f" with a mount of type {kind}" if kind else "")


def _removals(live: Live, wish: Wish) -> list[Operation]:
    steps = []
    leaving = [name for name in sorted(live.networks) if not users(name, live.others)]
    # Compose would also remove a network in which another's stopped container is, which could not start any more.
    by_compose = bool(live.compose) and not any(
        not running(other) for name in live.networks for other in live.others if name in networks_of(other)
    )
    done: set[str] = set()
    for project in live.projects if by_compose else ():
        names = [name_of(one) for one in live.containers if label(one, "project") == project]
        if names and not _lacks(live, project):
            words = f"docker compose down of {project}: remove {', '.join(names)}"
            steps.append(Operation("down", project, words))
            done.update(names)
    for one in live.containers:
        if name_of(one) not in done:
            steps.append(Operation("remove", name_of(one), f"stop and remove {name_of(one)}", {"id": one["Id"]}))
    steps += [Operation("network", name, f"remove network {name}") for name in leaving]
    return steps


def _lacks(live: Live, project: str) -> set[str]:
    """Services that others depend on and that have no container; Compose 2.26 then takes nothing down."""
    there = [one for one in live.containers if label(one, "project") == project]
    needed = {part.split(":")[0] for one in there for part in label(one, "depends_on").split(",") if part}
    return needed - {service_of(one) for one in there}


def _extras(live: Live, wish: Wish) -> list[Operation]:
    steps = []
    if wish.remove_volumes:
        for name in sorted(live.volumes):
            if not wish.backup_volumes and name not in live.archive.backups:
                raise StackError(
                    f"remove_volumes is true, but volume {name} has no backup in {live.archive.stem}.volumes; "
                    "set backup_volumes to true too"
                )
            if not folder_of(live.volumes[name]):
                raise StackError(
                    f"remove_volumes is true, but volume {name} has {_driver(live.volumes[name])}, and nothing says "
                    "whether its backup holds what is in it; remove it yourself"
                )
            if not wish.backup_volumes and name in live.stale:
                raise StackError(
                    f"remove_volumes is true, but volume {name} holds what its backup does not: {live.stale[name]}; "
                    "set backup_volumes to true too"
                )
            if not any(name in volumes_of(other) for other in live.others):
                words = f"remove volume {name}, which is backed up"
                words += f"; its files stay in {folder_of(live.volumes[name])}" if elsewhere(live.volumes[name]) else ""
                source = folder_of(live.volumes[name])
                steps.append(Operation("remove_volume", name, words, {"source": source}))
    if wish.remove_images:
        used = {one["Image"] for one in live.others}
        alone = sorted(name for name in live.unpublished if live.images[name] not in used)
        if alone:
            raise StackError(
                f"remove_images is true, but no registry has {', '.join(alone)}, so no restore brings it back; "
                "nothing was stopped, push it or set remove_images to false"
            )
        steps += [
            Operation("remove_image", name, f"remove image {name}")
            for name, number in sorted(live.images.items())
            if number not in used
        ]
    return steps


def _gone(steps: list[Operation]) -> set[str]:
    return {step.target for step in steps if step.verb in ("remove_volume", "remove_image")}


def memory_before(live: Live) -> int:
    """Bytes that the stack used when it was archived, or now where it is not yet."""
    told = live.archive.sidecar.get("memory") if live.archive.complete else None
    return sum((told if told is not None else live.memory).values())


def _warnings(live: Live, wish: Wish, steps: list[Operation]) -> list[str]:
    found = []
    for name in sorted(live.networks):
        stay = users(name, live.others)
        if stay:
            found.append(f"network {name} stays, because {', '.join(stay)} is in it")
    for one in live.containers:
        for mount in one.get("Mounts") or []:
            if mount.get("Type") == "volume" and anonymous(live.volumes.get(mount.get("Name") or "") or {}):
                found.append(f"{name_of(one)} has a volume without a name; a restore gives it a new one")
    freed = megabytes(memory_before(live))
    going = any(step.verb in ("down", "remove") for step in steps)
    if going and freed * 2 < wish.expected_memory_mb:
        found.append(
            f"{wish.name} used {freed} MB, less than half of the {wish.expected_memory_mb} MB that were expected"
        )
    return found


def space_needed(live: Live, plan: Plan) -> int:
    return sum(live.sizes.get(step.target, 0) for step in plan.operations if step.verb == "backup")


def restored_view(live: Live, archive: Archive) -> dict[str, Any]:
    wanted = wanted_services(archive)
    services: dict[str, dict[str, Any]] = {}
    for name, (_hash, needed) in wanted.items():
        own = [one for one in live.containers if service_of(one) == name]
        services[name] = {
            "hashes": sorted({label(one, "config-hash") for one in own}),
            "running": sum(up(one) for one in own) if needed else "any",
        }
    needs = _volumes_needed(archive)
    whole = {name for name in live.volumes if name not in archive.half_restored}
    return {"services": services, "volumes": sorted(needs & whole), "note": live.note}


def up(container: Mapping[str, Any]) -> bool:
    """Whether it stays up, which one that is restarted over and over does not."""
    return bool(container["State"]["Status"] == "running")


def _volumes_needed(archive: Archive) -> set[str]:
    """Those that an archive names; a definition that was made from containers names each."""
    every = archive.sidecar.get("source") == "containers"
    return {name for name, one in (archive.sidecar.get("volumes") or {}).items() if every or not anonymous(one)}


def wanted_services(archive: Archive) -> dict[str, tuple[str, int]]:
    """By service: the hash that a restore gives, and how many of its containers ran when it was archived."""
    archived = archive.sidecar.get("containers") or []
    found = {}
    for name, number in (archive.sidecar.get("hashes") or {}).items():
        own = [one for one in archived if service_of(one) == name]
        found[name] = (number, sum(up(one) for one in own) if own else 1)
    return found


def plan_restored(live: Live, wish: Wish, current: Mapping[str, Any]) -> Plan:
    """Volumes first, then the containers.

    :raises StackError: the archive is not whole, or what it needs is not there
    """
    archive = live.archive
    if not archive.complete:
        raise StackError(f"there is no whole archive of {wish.name} at {archive.path}; name another one in archive")
    sidecar = archive.sidecar
    if not wanted_services(archive):
        raise StackError(f"{archive.stem}.json does not say which services to restore; was Compose missing then?")
    steps: list[Operation] = []
    for name in sorted(_volumes_needed(archive)):
        if name in live.volumes and name not in archive.half_restored:
            continue
        if name not in archive.backups:
            raise StackError(
                f"volume {name} is gone and {archive.stem}.volumes has no backup of it; "
                "make a volume of that name with what it should hold, then run again"
            )
        steps.append(
            Operation(
                "restore_volume", name, f"restore volume {name} from its backup", {"spec": sidecar["volumes"][name]}
            )
        )
    services = {
        name: {"hashes": [number], "running": needed or "any"}
        for name, (number, needed) in wanted_services(archive).items()
    }
    if current["services"] != services:
        words = f"docker compose up of {sidecar['project']} from {archive.path}"
        steps.append(Operation("up", sidecar["project"], words))
    if live.note:
        steps.append(Operation("finish", archive.stem, "remove the note that the retirement goes on"))
    after = {"services": services, "volumes": sorted(_volumes_needed(archive)), "note": False}
    return Plan(current, after if steps else current, tuple(steps))

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
from pathlib import Path
from typing import Any, Optional

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live import host

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 111 1 0 100 0 0 10 0
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1 0 100 0 0 10 0
   2: 020200C0:8EBE 507100CB:0050 06 00000000:00000000 03:00000578 00000000     0        0 333 3 0
"""
TCP6 = """  sl  local_address                         remote_address                        st
   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 444 1 0
"""
V1 = "\n".join(
    f"3{n} 29 0:2{n} / /sys/fs/cgroup/{name} rw,relatime - cgroup cgroup rw,{name}"
    for n, name in enumerate(["cpu", "cpuacct", "memory", "devices"])
)
CGROUPS = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n" + "\n".join(
    f"{name}\t1\t1\t{enabled}" for name, enabled in [("cpu", 1), ("memory", 1), ("pids", 1), ("blkio", 0)]
)
V2 = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate"


def test_the_nearest_mount_is_the_file_system_of_a_path() -> None:
    mounts = (
        "/dev/a / ext4 rw 0 0\n/dev/b /var xfs rw 0 0\ntmpfs /var/tmp\\040x tmpfs rw 0 0\noverlay / overlay rw 0 0\n"
    )
    assert host.filesystem_of("/var/lib/swapfile", mounts) == "xfs"
    assert host.filesystem_of("/variety", mounts) == "overlay"
    assert host.filesystem_of("/var/tmp x/s", mounts) == "tmpfs"
    assert host.filesystem_of("/x", "") is None


def test_what_is_swapped_to() -> None:
    head = "Filename\tType\tSize\tUsed\tPriority\n"
    assert host.swaps_of(head + "/swap\\040file file 1048576 0 -2\n/dev/sda2 partition 2048 0 -3\n") == {
        "/swap file": 1024,
        "/dev/sda2": 2,
    }
    assert host.swaps_of("") == {}


def test_listening_sockets_of_both_families() -> None:
    assert host.sockets_of(TCP) == [
        {"address": "127.0.0.1", "port": 6379, "inode": "111"},
        {"address": "0.0.0.0", "port": 80, "inode": "222"},
    ]
    assert host.sockets_of("") == []


def test_an_ipv6_address_is_read_word_by_word() -> None:
    assert host.address_of("00000000000000000000000001000000:1F90") == ("::1", 8080)
    assert host.address_of("00000000000000000000000000000000:0050") == ("::", 80)


def test_a_listener_has_its_process_and_its_container() -> None:
    sockets = [*host.sockets_of(TCP), {"address": "::", "port": 5678, "inode": "555"}]
    ports = {6379: "valkey", 80: "traefik", 5678: "n8n"}
    seen = host.name_listeners(sockets, {"111": 7, "222": 8}, {7: "docker-proxy", 8: "nginx"}, ports)
    assert [(one["port"], one["pid"], one["process"], one["container"]) for one in seen] == [
        (80, 8, "nginx", None),
        (5678, None, None, "n8n"),
        (6379, 7, "docker-proxy", "valkey"),
    ]


def test_published_ports() -> None:
    containers = [
        {"Names": ["/valkey"], "Ports": [{"PrivatePort": 6379, "PublicPort": 6379, "Type": "tcp"}, {"PrivatePort": 1}]},
        {"Names": ["/dns"], "Ports": [{"PublicPort": 53, "Type": "udp"}]},
        {"Names": ["/none"], "Ports": None},
    ]
    assert host.published(containers) == {6379: "valkey"}


def test_own_socket_is_found_in_the_live_proc() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        found = [one for one in host.listening() if one["port"] == port]
        assert host.owners_of([found[0]["inode"]]) == {found[0]["inode"]: os.getpid()}


@pytest.mark.parametrize(
    ("mountinfo", "known", "result"),
    [
        (V1, CGROUPS, {"version": 1, "missing": ["pids"]}),
        (V2, CGROUPS, {"version": 2, "missing": []}),
        ("", CGROUPS, {"version": 1, "missing": ["cpu", "memory", "pids"]}),
        ("", "", {"version": None, "missing": []}),
    ],
)
def test_cgroups(mountinfo: str, known: str, result: dict[str, Any]) -> None:
    assert host.cgroup_of(mountinfo, known) == result


@pytest.mark.parametrize(
    ("first", "systemd", "init"),
    [("systemd\n", True, "systemd"), ("systemd\n", False, "none"), ("init\n", False, "sysv"), ("sh\n", False, "none")],
)
def test_init(first: str, systemd: bool, init: str) -> None:
    assert host.init_of(first, systemd) == init


def test_release_and_memory() -> None:
    assert host.os_of('ID=ubuntu\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\n') == {
        "id": "ubuntu",
        "version": "24.04",
        "codename": "noble",
    }
    assert host.os_of("") == {"id": "", "version": "", "codename": ""}
    assert host.memory_of("MemTotal:  4009000 kB\nSwapTotal: 2097152 kB\n") == (3915, 2048)
    assert host.memory_of("") == (0, 0)


@pytest.mark.parametrize(("said", "version"), [("2.26.1-4", "2.26.1"), ("v2.30.3", "2.30.3"), ("nonsense", None)])
def test_compose(tmp_path: Path, said: str, version: Optional[str]) -> None:
    plugin = tmp_path / "docker-compose"
    plugin.write_text(f"#!/bin/sh\necho {said}\n")
    plugin.chmod(0o755)
    assert host.compose_version([str(tmp_path / "nowhere"), str(plugin)]) == version


def test_without_an_engine_its_fields_are_null(tmp_path: Path) -> None:
    seen = host.describe(str(tmp_path / "not/yet"), str(tmp_path / "docker.sock"))
    engine = seen["engine"]
    assert engine["running"] is False
    assert [engine[key] for key in ("version", "api_version", "socket", "socket_gid", "root_dir", "cpus", "error")] == [
        None
    ] * 7
    assert seen["disk_free_mb"] > 0


def test_free_space_of_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert host.free_mb(str(tmp_path / "a/b/c")) == pytest.approx(host.free_mb(str(tmp_path)), abs=50)
    assert host.free_mb("relative/nowhere") > 0


def test_only_images_with_a_name_are_told() -> None:
    seen = [
        {"RepoTags": ["b:1", "a:1"], "Labels": {"x": "y"}},
        {"RepoTags": ["<none>:<none>"], "Labels": None},
        {"RepoTags": None},
        {"RepoTags": ["c:1"], "Labels": None},
    ]
    assert host.images_of(seen) == [{"tags": ["a:1", "b:1"], "labels": {"x": "y"}}, {"tags": ["c:1"], "labels": {}}]


def test_containers_are_told_with_their_project(tmp_path: Path) -> None:
    labels = {"com.docker.compose.project": "archon", "com.docker.compose.project.working_dir": "/srv/archon"}
    seen = [{"Names": ["/b"], "State": "exited"}, {"Names": ["/a"], "State": "running", "Labels": labels}]
    assert host.containers_of(seen) == [
        {"name": "a", "state": "running", "project": "archon", "directory": "/srv/archon"},
        {"name": "b", "state": "exited", "project": None, "directory": None},
    ]


def test_files_are_looked_for(tmp_path: Path) -> None:
    (tmp_path / "archon-1.yml").touch()
    wanted = [f"{tmp_path}/archon-*", f"{tmp_path}/.archon.retiring"]
    found = host.describe(str(tmp_path), str(tmp_path / "docker.sock"), wanted)["found"]
    assert found == {wanted[0]: [f"{tmp_path}/archon-1.yml"], wanted[1]: []}


PROGRAMS = {"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"}


def test_the_label_of_a_swap_file(tmp_path: Path) -> None:
    file = tmp_path / "swapfile"
    file.write_bytes(bytes(1 << 20))
    assert host.swap_label(str(file)) is None
    subprocess.run(["mkswap", "--label", "ours", str(file)], check=True, capture_output=True, env=PROGRAMS)
    assert host.swap_label(str(file)) == "ours"
    assert host.swap_label(str(tmp_path)) is None and host.swap_label(str(tmp_path / "none")) is None


def test_projects_are_known_by_their_notes(tmp_path: Path) -> None:
    for name in ("valkey", "planner-engine", "somebody-elses"):
        (tmp_path / "[services]" / name).mkdir(parents=True)
    for name in ("valkey", "planner-engine"):
        (tmp_path / "[services]" / name / ".compose_stack.json").touch()
    assert host.kept_projects(str(tmp_path / "[services]")) == ["planner-engine", "valkey"]
    assert host.kept_projects(str(tmp_path / "none")) == []


def test_the_ranges_of_a_network_are_told() -> None:
    assert host.subnets_of({"IPAM": {"Config": [{"Subnet": "10.0.0.0/24"}, {}]}}) == ["10.0.0.0/24"]
    assert host.subnets_of({"IPAM": {"Config": None}}) == []


@pytest.mark.parametrize(
    ("config", "env", "key"),
    [
        ('{"encryptionKey": "from the volume"}', "N8N_ENCRYPTION_KEY='other'\n", "from the volume"),
        ("", "A='b'\nN8N_ENCRYPTION_KEY='from the file'\n", "from the file"),
        ("not json", "", None),
        ("[]", "N8N_ENCRYPTION_KEY=''\n", None),
        ('{"encryptionKey": 7}', "", None),
    ],
)
def test_the_key_that_n8n_keeps(config: str, env: str, key: Optional[str]) -> None:
    assert host.kept_key_of(config, env) == key
    assert host.digest(key) == (None if key is None else hashlib.sha256(key.encode()).hexdigest()[:16])


def test_the_key_in_a_file_of_its_own() -> None:
    assert host.kept_key_of("", "N8N_ENCRYPTION_KEY='old'\n", "from the file\n") == "from the file"
    assert host.kept_key_of('{"encryptionKey": "volume"}', "", "from the file") == "volume"


def test_the_key_in_the_env_file_is_told_as_a_digest_only(tmp_path: Path) -> None:
    (tmp_path / "n8n").mkdir()
    (tmp_path / "n8n/n8n.env").write_text("N8N_ENCRYPTION_KEY='canary-key'\n")
    seen = host.describe(str(tmp_path), str(tmp_path / "docker.sock"))
    assert seen["n8n_key_digest"] == hashlib.sha256(b"canary-key").hexdigest()[:16]
    assert "canary" not in str(seen)

#!/usr/bin/python
# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_info
short_description: Read what a host is and what stands on it
version_added: "0.1.0"
author: [bestviable.planner_memory contributors (@bestviable)]
description:
  - Reads in one process, mostly from C(/proc) and the Docker engine's socket, what the roles of this collection
    decide on.
  - Works without root and without Docker; what cannot be seen is null.
attributes:
  check_mode:
    support: full
    description: Can run in check mode and never changes anything.
  diff_mode:
    support: none
    description: Nothing changes, so there is no difference to show.
options:
  services_dir:
    description: The folder of the services, whose projects are told and whose free space counts; it need not exist yet.
    type: path
    default: /
  look_for:
    description: Paths of files to look for, with C(*) and C(?) as in a shell.
    type: list
    elements: str
    default: []
  filesystems_of:
    description: Absolute paths, which need not exist yet, whose file systems are to be told.
    type: list
    elements: str
    default: []
  docker_socket:
    description:
      - Where the Docker engine listens.
      - By default E(DOCKER_HOST) where it names a Unix socket, else C(/var/run/docker.sock).
    type: path
"""

EXAMPLES = r"""
- name: Read what the host is
  bestviable.planner_memory.host_info:
    services_dir: /home/david/services
  register: stack_host_read

- name: Say who listens on port 6379
  ansible.builtin.debug:
    msg: "{{ stack_host_read.host.listeners | selectattr('port', 'equalto', 6379) }}"
"""

RETURN = r"""
host:
  description: What the host is.
  returned: success
  type: dict
  contains:
    os:
      description: Distribution as C(id), C(version) and C(codename).
      type: dict
      returned: success
      sample: {"id": "debian", "version": "13", "codename": "trixie"}
    arch:
      description: Processor architecture.
      type: str
      returned: success
      sample: x86_64
    python:
      description: Version of the Python that ran the module.
      type: str
      returned: success
      sample: 3.13.5
    python_lacks:
      description: Which of the libraries that modules need on the host this Python does not have.
      type: list
      elements: str
      returned: success
      sample: [psycopg2]
    markdown:
      description: Whether this Python has markdown-it-py, which M(bestviable.planner_memory.service_inventory) needs.
      type: bool
      returned: success
    found:
      description: What there is of O(look_for), by what was looked for.
      type: dict
      returned: success
      sample: {"/home/david/services/archive/archon-*": ["/home/david/services/archive/archon-20251201.yml"]}
    kept_projects:
      description:
        - Compose projects under O(services_dir) that M(bestviable.planner_memory.compose_stack) keeps, by the notes in
          their directories.
      type: list
      elements: str
      returned: success
      sample: [n8n, planner-engine, valkey]
    root:
      description: Whether the module ran as root.
      type: bool
      returned: success
    memory_mb:
      description: Memory in MB.
      type: int
      returned: success
      sample: 3915
    swap_mb:
      description: Swap in MB.
      type: int
      returned: success
      sample: 0
    swaps:
      description: Files and partitions that are swapped to, with their MB.
      type: dict
      returned: success
      sample: {"/var/lib/planner-memory/swapfile": 1024}
    swap_labels:
      description: The label of each file that is swapped to; null for partitions, and where it cannot be read.
      type: dict
      returned: success
      sample: {"/var/lib/planner-memory/swapfile": planner-memory}
    filesystems:
      description:
        The C(type) of the file system of each path of O(filesystems_of), its free space as C(free_mb), whether
        the path C(exists), and the C(swap_label) of a swap file that is there, else null.
      type: dict
      returned: success
      sample:
        /var/lib/planner-memory/swapfile: {"type": "ext4", "free_mb": 61234, "exists": false, "swap_label": null}
    disk_free_mb:
      description: The lesser of the free space under O(services_dir) and under the engine's data folder, in MB.
      type: int
      returned: success
      sample: 61234
    init:
      description: Who starts services, V(systemd), V(sysv) or V(none).
      type: str
      returned: success
      sample: systemd
    engine:
      description: The Docker engine.
      type: dict
      returned: success
      contains:
        installed:
          description: Whether there is one.
          type: bool
          returned: success
        running:
          description: Whether it answers.
          type: bool
          returned: success
        version:
          description: Its version, or null.
          type: str
          returned: success
          sample: 26.1.5
        api_version:
          description: Its newest API version, or null.
          type: str
          returned: success
          sample: "1.45"
        socket:
          description: Where it listens, or null.
          type: str
          returned: success
          sample: /var/run/docker.sock
        socket_gid:
          description: The group that may use its socket, or null.
          type: int
          returned: success
          sample: 105
        root_dir:
          description: Its data folder, or null.
          type: str
          returned: success
          sample: /var/lib/docker
        cpus:
          description: How many CPUs its host has, which is the most that it gives a container, or null.
          type: int
          returned: success
          sample: 2
        containers:
          description: All containers with their C(state), and Compose's C(project) and its C(directory) or null.
          type: list
          elements: dict
          returned: success
          sample: [{name: valkey, state: running, project: valkey, directory: /home/david/services/valkey}]
        networks:
          description: Names of its networks.
          type: list
          elements: str
          returned: success
          sample: [bridge, docker_proxy, docker_syncbricks, host, none]
        images:
          description: Its images that have a name, with the labels that they were built with.
          type: list
          elements: dict
          returned: success
          sample: [{tags: ["valkey/valkey:8.1.1"], labels: {}}]
        subnets:
          description: Address ranges of each network, by its name.
          type: dict
          returned: success
          sample: {bridge: [172.17.0.0/16], host: []}
        bridges:
          description: Its bridge networks with what they are and the running containers in them, by name.
          type: dict
          returned: success
          sample:
            docker_proxy:
              driver: bridge
              subnets: [10.203.10.0/24]
              gateways: [10.203.10.1]
              bridge: br-proxy
              internal: false
              containers: [traefik]
        routes:
          description: Routers that the labels of running containers make for Traefik, with the hosts of their rules.
          type: list
          elements: dict
          returned: success
          sample: [{container: memory-gateway, router: memory-gateway, hosts: [memory.example.org]}]
        error:
          description: Why it does not answer although its socket is there, or null.
          type: str
          returned: success
    compose:
      description: The Compose plugin; its C(version) is null where there is none.
      type: dict
      returned: success
      sample: {"version": "2.26.1"}
    cgroup:
      description: Control groups, their C(version), and C(missing) hierarchies of version 1 that are not mounted.
      type: dict
      returned: success
      sample: {"version": 2, "missing": []}
    listeners:
      description: Listening TCP sockets with the process and the container behind them, as far as they can be seen.
      type: list
      elements: dict
      returned: success
      sample:
        - proto: tcp
          address: 127.0.0.1
          port: 6379
          pid: 812
          process: docker-proxy
          container: valkey
    interfaces:
      description: Names of the host's network interfaces.
      type: list
      elements: str
      returned: success
      sample: [br-proxy, docker0, eth0, lo]
    routes:
      description: Interface and address range of each IPv4 route.
      type: list
      elements: dict
      returned: success
      sample: [{interface: eth0, subnet: 0.0.0.0/0}]
    firewall:
      description:
        - C(usable) says whether nft is there and the kernel takes a table such as role networking's, asked as root.
        - C(others) names who else writes firewall rules, a sentence each.
      type: dict
      returned: success
      sample: {usable: true, others: []}
    services:
      description:
        Services that M(bestviable.planner_memory.host_service) keeps, by their name, with checksums of their files,
        whether systemd starts them at boot (null without systemd), and whether they run as their files say.
      type: dict
      returned: success
      sample:
        firewall:
          enabled: true
          running: true
          files:
            /usr/local/lib/planner-memory/firewall/rules.nft: {mode: "0644", sha256: 2c26b46b68ff…}
    n8n_key_digest:
      description:
        - The first 16 digits of the SHA-256 of the encryption key that n8n keeps in the volume C(n8n_data), or that
          stands in its secret or env file under O(services_dir); null where there is none, or where it cannot be read.
      type: str
      returned: success
      sample: 9f86d081884c7d65
    valkey_files:
      description:
        - What Valkey would start from in the volume C(valkey_data) - the first file of its append-only log as
          C(appendonly), and C(dump), each with its C(path) in the volume and the C(format) that its first bytes tell
          (null for a log without a snapshot), or null where there is no such file.
        - Empty where the engine does not answer.
      type: dict
      returned: success
      sample:
        appendonly: {path: appendonlydir/appendonly.aof.1.base.rdb, format: REDIS0011}
        dump: null
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live.host import describe


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "services_dir": {"type": "path", "default": "/"},
            "look_for": {"type": "list", "elements": "str", "default": []},
            "filesystems_of": {"type": "list", "elements": "str", "default": []},
            "docker_socket": {"type": "path"},
        },
        supports_check_mode=True,
    )
    given = module.params
    host = describe(given["services_dir"], given["docker_socket"], given["look_for"], given["filesystems_of"])
    module.exit_json(changed=False, host=host)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: spec_probe
short_description: Ask a live host many questions in one process
version_added: "0.1.0"
author: [bestviable.planner_memory contributors (@bestviable)]
description:
  - Runs commands in containers, sends HTTP requests, inspects containers and networks, queries PostgreSQL,
    tries TCP ports and looks who listens, and returns what it saw, without judging.
  - What cannot be reached is an answer with C(error), never a failure of the module.
  - The action M(bestviable.planner_memory.spec_check) calls this module once for a whole host and judges the answers.
attributes:
  check_mode:
    support: partial
    description: Can run in check mode and return what a run would have returned.
    details:
      In check mode nothing is asked that could write; commands in containers, HTTP methods other than GET and HEAD,
      and probes that may write are left out.
  diff_mode:
    support: none
    description: Nothing changes, so there is no difference to show.
options:
  probes:
    description: The questions; each is exactly one of O(probes[].exec), O(probes[].http), O(probes[].inspect),
      O(probes[].network), O(probes[].engine), O(probes[].sql), O(probes[].tcp), O(probes[].listen),
      O(probes[].service), O(probes[].file) and O(probes[].edge).
    type: list
    elements: dict
    required: true
    suboptions:
      chain:
        description: Probes of one chain are asked one after another, in their order; all others side by side.
        type: str
      writes:
        description: This probe may write; without it a query runs in a read-only transaction.
        type: bool
        default: false
      within:
        description: Ask again for so many seconds until O(probes[].expect) holds.
        type: float
        default: 0
      expect:
        description: What to wait for, path to matcher, as in M(bestviable.planner_memory.spec_check).
        type: dict
      exec:
        description: Run a command in a container; answers C(rc), C(stdout), C(stderr) and C(ms).
        type: dict
        suboptions:
          container:
            description: Name of the container.
            type: str
            required: true
          argv:
            description: The command, word by word.
            type: list
            elements: str
            required: true
      http:
        description:
          Send a request; answers C(status), C(headers) in small letters, C(body) (decoded where it is JSON) and C(ms).
        type: dict
        suboptions:
          url:
            description: The whole address.
            type: str
            required: true
          method:
            description: The method.
            type: str
            default: GET
          headers:
            description: Headers to send; values of credential headers are masked in the answer.
            type: dict
          body:
            description: A mapping or a list is sent as JSON, a string as it is.
            type: raw
      inspect:
        description:
          - Answers what C(docker inspect) says of a container, or an empty dictionary where it is not.
          - Of C(Config.Env) only the names, each with V(***) as its value.
        type: dict
        suboptions:
          container:
            description: Name of the container.
            type: str
            required: true
      network:
        description: Answers what C(docker network inspect) says, or an empty dictionary.
        type: dict
        suboptions:
          name:
            description: Name of the network.
            type: str
            required: true
      engine:
        description: Answers what C(docker info) says of the engine; takes no options, so give an empty dictionary.
        type: dict
      sql:
        description: Run a query; answers C(rows), a list of dictionaries.
        type: dict
        suboptions:
          login:
            description: Where and as whom.
            type: dict
            required: true
            suboptions:
              host:
                description: Host name, address, or folder of the Unix socket.
                type: str
                default: 127.0.0.1
              port:
                description: Port.
                type: int
                default: 5432
              user:
                description: User.
                type: str
              password:
                description: Password.
                type: str
              dbname:
                description: Database.
                type: str
          query:
            description: The query.
            type: str
            required: true
      tcp:
        description: Try to connect; answers C(open).
        type: dict
        suboptions:
          host:
            description: Host name or address.
            type: str
            default: 127.0.0.1
          port:
            description: Port.
            type: int
            required: true
      listen:
        description: Answers C(addresses), on which the host listens on a port.
        type: dict
        suboptions:
          port:
            description: Port.
            type: int
            required: true
      service:
        description:
          Answers what a service that M(bestviable.planner_memory.host_service) keeps says of itself, with C(running).
        type: dict
        suboptions:
          name:
            description: Name of the service.
            type: str
            required: true
      file:
        description:
          - Answers whether a file C(exists), its C(mode), and which texts it C(lacks).
          - What else is in the file is not told.
        type: dict
        suboptions:
          path:
            description: The file.
            type: path
            required: true
          texts:
            description: Texts that have to be in it.
            type: list
            elements: str
            default: []
      edge:
        description:
          - Answers C(problems), sentences that say why a public service is not reached by one way, Traefik's, alone, or
            what is reached by another, and C(hosts), which were looked at.
          - Looks at the labels, the health and the published ports of the engine's running containers.
        type: dict
        suboptions:
          public:
            description: Public services.
            type: list
            elements: dict
            required: true
            suboptions:
              name:
                description: Name of its container.
                type: str
                required: true
              host:
                description: Its public host.
                type: str
                required: true
              port:
                description: Its port.
                type: int
          internal:
            description: Containers that nothing from outside may reach.
            type: list
            elements: str
            default: []
          proxy:
            description: Where each rule of a public host has to lead.
            type: str
            default: http://traefik:80
          rules:
            description: The rules of the tunnel, as M(bestviable.planner_memory.cloudflare_tunnel_info) returns them.
            type: list
            elements: dict
          cnames:
            description: Hosts whose CNAME leads to the tunnel.
            type: list
            elements: str
          known:
            description: Problems that were found elsewhere, to be told with the others.
            type: list
            elements: str
            default: []
  timeout:
    description: Seconds for one question.
    type: float
    default: 10
  workers:
    description: How many chains are asked side by side.
    type: int
    default: 8
  docker_socket:
    description:
      - Where the Docker engine listens.
      - By default E(DOCKER_HOST) where it names a Unix socket, else C(/var/run/docker.sock).
    type: path
"""

EXAMPLES = r"""
- name: Ask Valkey and its port
  bestviable.planner_memory.spec_probe:
    probes:
      - exec: {container: valkey, argv: [redis-cli, ping]}
      - listen: {port: 6379}
  register: answers
"""

RETURN = r"""
results:
  description: One answer a probe, in their order; one that could not be had has only C(error).
  returned: success
  type: list
  elements: dict
  sample:
    - {"rc": 0, "stdout": "PONG", "stderr": "", "ms": 43}
    - {"addresses": ["127.0.0.1"]}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live.probes import KINDS, answer, secrets_of

CONTAINER = {"container": {"type": "str", "required": True}}
PROBE = {
    "chain": {"type": "str"},
    "writes": {"type": "bool", "default": False},
    "within": {"type": "float", "default": 0},
    "expect": {"type": "dict"},
    "exec": {"type": "dict", "options": {**CONTAINER, "argv": {"type": "list", "elements": "str", "required": True}}},
    "http": {
        "type": "dict",
        "options": {
            "url": {"type": "str", "required": True},
            "method": {"type": "str", "default": "GET"},
            "headers": {"type": "dict", "no_log": True},
            "body": {"type": "raw"},
        },
    },
    "inspect": {"type": "dict", "options": CONTAINER},
    "network": {"type": "dict", "options": {"name": {"type": "str", "required": True}}},
    "engine": {"type": "dict"},
    "sql": {
        "type": "dict",
        "options": {
            "login": {
                "type": "dict",
                "required": True,
                "options": {
                    "host": {"type": "str", "default": "127.0.0.1"},
                    "port": {"type": "int", "default": 5432},
                    "user": {"type": "str"},
                    "password": {"type": "str", "no_log": True},
                    "dbname": {"type": "str"},
                },
            },
            "query": {"type": "str", "required": True},
        },
    },
    "tcp": {
        "type": "dict",
        "options": {"host": {"type": "str", "default": "127.0.0.1"}, "port": {"type": "int", "required": True}},
    },
    "listen": {"type": "dict", "options": {"port": {"type": "int", "required": True}}},
    "service": {"type": "dict", "options": {"name": {"type": "str", "required": True}}},
    "file": {
        "type": "dict",
        "options": {
            "path": {"type": "path", "required": True},
            "texts": {"type": "list", "elements": "str", "default": []},
        },
    },
    "edge": {
        "type": "dict",
        "options": {
            "public": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "host": {"type": "str", "required": True},
                    "port": {"type": "int"},
                },
            },
            "internal": {"type": "list", "elements": "str", "default": []},
            "proxy": {"type": "str", "default": "http://traefik:80"},
            "rules": {"type": "list", "elements": "dict"},
            "cnames": {"type": "list", "elements": "str"},
            "known": {"type": "list", "elements": "str", "default": []},
        },
    },
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "probes": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": PROBE,
                "mutually_exclusive": [KINDS],
                "required_one_of": [KINDS],
            },
            "timeout": {"type": "float", "default": 10},
            "workers": {"type": "int", "default": 8},
            "docker_socket": {"type": "path"},
        },
        supports_check_mode=True,
    )
    probes = module.params["probes"]
    # Ansible must not log any header, but shall hide in the answers only those that are secrets.
    module.no_log_values.clear()
    module.no_log_values.update(secrets_of(probes))
    results = answer(
        probes,
        timeout=module.params["timeout"],
        workers=module.params["workers"],
        read_only=module.check_mode,
        path=module.params["docker_socket"],
    )
    module.exit_json(changed=False, results=results)


if __name__ == "__main__":
    main()

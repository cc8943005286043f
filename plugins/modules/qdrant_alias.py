#!/usr/bin/python

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: qdrant_alias
short_description: Manage aliases of Qdrant collections
version_added: "0.1.0"
author:
  - bestviable.planner_memory contributors (@bestviable)
description:
  - Keeps aliases that live apart from a declared collection; M(bestviable.planner_memory.qdrant_collection) keeps those
    that belong to one.
  - All changes of a run are one call, in which an alias that moves is overwritten, so no reader ever finds an alias
    missing that is moved.
extends_documentation_fragment:
  - bestviable.planner_memory.qdrant
  - bestviable.planner_memory.qdrant.path
attributes:
  check_mode:
    support: full
    description: Can run in check mode and tells what it would do without doing it.
  diff_mode:
    support: full
    description: Returns the managed fields before and after.
options:
  name:
    description: Name of the alias.
    type: str
  collection:
    description: The collection that it is another name of; needed for O(state=present).
    type: str
  state:
    description: Whether the alias is there.
    type: str
    choices: [present, absent]
    default: present
  aliases:
    description: Several aliases in one call. Each takes the options above.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the alias.
        type: str
        required: true
      collection:
        description: As O(collection).
        type: str
      state:
        description: As O(state).
        type: str
        choices: [present, absent]
        default: present
"""

EXAMPLES = r"""
- name: Have an alias that readers use
  bestviable.planner_memory.qdrant_alias:
    name: pictures_live
    collection: pictures

- name: Exchange two collections below their aliases, in one moment
  bestviable.planner_memory.qdrant_alias:
    aliases:
      - {name: live, collection: pictures_green}
      - {name: spare, collection: pictures_blue}
      - {name: trial, state: absent}
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done, one line a call.
  returned: always
  type: list
  elements: str
  sample: [move alias live from pictures_blue to pictures_green]
aliases:
  description: The collection of each declared alias; none for one that is absent.
  returned: success
  type: dict
  sample: {live: pictures_green}
"""

from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.aliases import Aliases, wanted_aliases
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.client import Client
from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.connection import (
    CONNECTION_SPEC,
    PATH_SPEC,
    connections,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import run_module

ALIAS_SPEC: dict[str, dict[str, Any]] = {
    "collection": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def build(module: AnsibleModule, connect: Callable[..., Client]) -> Aliases:
    params = module.params
    if params["aliases"] is not None and (params["collection"] is not None or params["state"] != "present"):
        raise StackError("collection or state stands beside aliases; give it to each alias that it is meant for")
    wanted = wanted_aliases(params)
    return Aliases(connect(params, read_only=module.check_mode), wanted)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str"},
            **ALIAS_SPEC,
            "aliases": {
                "type": "list",
                "elements": "dict",
                "options": {"name": {"type": "str", "required": True}, **ALIAS_SPEC},
            },
            **CONNECTION_SPEC,
            **PATH_SPEC,
        },
        mutually_exclusive=[("name", "aliases")],
        required_one_of=[("name", "aliases")],
        supports_check_mode=True,
    )
    with connections() as connect:
        run_module(module, lambda: build(module, connect))


if __name__ == "__main__":
    main()

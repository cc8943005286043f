# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: n8n_workflow_info
short_description: Tells which workflows an n8n has, and whether they run
version_added: "0.1.0"
description:
  - Lists workflows of n8n by name, in one listing.
  - With the owner's login it also asks n8n whether each trigger is registered, which the public API does not tell.
author: [bestviable.planner_memory contributors (@bestviable)]
extends_documentation_fragment:
  - bestviable.planner_memory.n8n
  - bestviable.planner_memory.n8n.key
  - bestviable.planner_memory.n8n.session
attributes:
  check_mode:
    description:
      - Only reads. An n8n that has no key yet is then taken to be empty; see also O(assume_empty_if_unreachable).
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
options:
  names:
    description: Names of the workflows to tell of; all where it is left out.
    type: list
    elements: str
  tag:
    description: Tag of the workflows to tell of.
    type: str
  definitions:
    description:
      - Whether to return what M(bestviable.planner_memory.n8n_workflow) takes, with credentials and called workflows by
        name, so that it goes into this n8n or another one. C(description) and pinned data are not in it.
      - A definition may hold what is secret in a parameter of a node; think of it before you show or keep it.
    type: bool
    default: false
seealso:
  - module: bestviable.planner_memory.n8n_workflow
"""

EXAMPLES = r"""
- name: Ask whether the schedules are registered
  bestviable.planner_memory.n8n_workflow_info:
    api_key_file: /home/david/services/n8n/api_key
    names: [daily-observer-trigger, weekly-observer-trigger]
    owner_email: david@example.com
    owner_password: "{{ n8n_owner_password }}"
  register: n8n_schedules

- name: Take over a workflow that was drawn by hand
  bestviable.planner_memory.n8n_workflow_info:
    api_key_file: /home/david/services/n8n/api_key
    names: [drawn by hand]
    definitions: true
  register: n8n_drawn
"""

RETURN = r"""
workflows:
  description: The workflows, by name.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Id of the workflow in n8n.
      type: str
    name:
      description: Name of the workflow.
      type: str
    publication:
      description: One of C(published), C(an older version), C(unpublished) and C(archived).
      type: str
    tags:
      description: Its tags.
      type: list
      elements: str
    webhooks:
      description: Addresses of its webhooks, as seen from the host.
      type: list
      elements: str
    version_id:
      description: Id of the version that is edited.
      type: str
    active_version_id:
      description: Id of the version that runs.
      type: str
    updated_at:
      description: When it was changed last.
      type: str
    triggers:
      description: What n8n says of its publication, its C(status) and each of its C(nodes) with C(status) and C(error).
      type: dict
      returned: when the owner can log in
    definition:
      description: What M(bestviable.planner_memory.n8n_workflow) takes.
      type: dict
      returned: when O(definitions=true)
  sample:
    - id: u2KV7mnKzJQ0YLcl
      name: daily-observer-trigger
      publication: published
      tags: [planner-memory]
      webhooks: []
      version_id: a6dca6a7-c04b-4de0-8c57-a67be8382fdd
      active_version_id: a6dca6a7-c04b-4de0-8c57-a67be8382fdd
      updated_at: "2026-11-24T15:27:29.516Z"
      triggers:
        status: published
        nodes: [{node: Every day, status: activated, error: null}]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n import info
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.client import (
    CONNECTION_SPEC,
    KEY_SPEC,
    Api,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.session import SESSION_SPEC, Session
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import run_info


def read(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    api = Api(params, read_only=check_mode)
    session = Session(params, read_only=check_mode, email=params["owner_email"], password=params["owner_password"])
    found = info.workflows(api, session, names=params["names"], tag=params["tag"], definitions=params["definitions"])
    return {"workflows": found, "warnings": api.warnings}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_SPEC,
            **KEY_SPEC,
            **SESSION_SPEC,
            "names": {"type": "list", "elements": "str"},
            "tag": {"type": "str"},
            "definitions": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
        required_one_of=[("api_key", "api_key_file")],
    )
    run_info(module, lambda: read(module.params, module.check_mode))


if __name__ == "__main__":
    main()

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: n8n_execution_info
short_description: Tells what n8n ran, and why it failed
version_added: "0.1.0"
description:
  - Lists executions of n8n, the newest first, with the message and the node of each that failed.
  - What went through a workflow is never returned.
author: [bestviable.planner_memory contributors (@bestviable)]
extends_documentation_fragment:
  - bestviable.planner_memory.n8n
  - bestviable.planner_memory.n8n.key
attributes:
  check_mode:
    description:
      - Only reads. An n8n that has no key yet is then taken to be empty; see also O(assume_empty_if_unreachable).
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
options:
  workflow:
    description: Name of the workflow whose executions are told of; those of all workflows where it is left out.
    type: str
  workflow_id:
    description: Id of the workflow, in place of O(workflow).
    type: str
  status:
    description: Status of the executions to tell of. n8n lists what still runs only when asked for V(running).
    type: str
    choices: [canceled, crashed, error, new, running, success, unknown, waiting]
  limit:
    description: How many executions at most. Each one that failed costs a request of its own.
    type: int
    default: 20
  secrets:
    description: Texts that are masked in the messages of errors.
    type: list
    elements: str
    default: []
seealso:
  - module: bestviable.planner_memory.n8n_workflow_info
"""

EXAMPLES = r"""
- name: Ask what failed last
  bestviable.planner_memory.n8n_execution_info:
    api_key_file: /home/david/services/n8n/api_key
    workflow: event-logger
    status: error
    limit: 5
  register: n8n_failed
"""

RETURN = r"""
executions:
  description: The executions, the newest first.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Id of the execution.
      type: str
    workflow_id:
      description: Id of the workflow.
      type: str
    workflow:
      description: Name of the workflow, null where it is gone.
      type: str
    status:
      description: What became of it.
      type: str
    mode:
      description: What started it, such as C(webhook), C(trigger), C(manual), C(retry) and C(error) for an alarm.
      type: str
    started_at:
      description: When it began.
      type: str
    stopped_at:
      description: When it ended.
      type: str
    error:
      description: The C(message) and the C(node) of a failure, null where there was none.
      type: dict
  sample:
    - id: "231"
      workflow_id: u2KV7mnKzJQ0YLcl
      workflow: event-logger
      status: error
      mode: webhook
      started_at: "2026-11-24T15:44:55.206Z"
      stopped_at: "2026-11-24T15:44:55.301Z"
      error: {message: connect ECONNREFUSED 172.18.0.2:5432, node: Insert event}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n import info
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.client import (
    CONNECTION_SPEC,
    KEY_SPEC,
    Api,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import run_info


def read(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    if params["limit"] < 1:
        raise StackError(f"limit is {params['limit']}; give a number above 0")
    api = Api(params, read_only=check_mode)
    found = info.executions(api, **{key: params[key] for key in ("workflow", "workflow_id", "status", "limit")})
    return {"executions": found, "warnings": api.warnings}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_SPEC,
            **KEY_SPEC,
            "workflow": {"type": "str"},
            "workflow_id": {"type": "str"},
            "status": {
                "type": "str",
                "choices": ["canceled", "crashed", "error", "new", "running", "success", "unknown", "waiting"],
            },
            "limit": {"type": "int", "default": 20},
            "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
        },
        supports_check_mode=True,
        mutually_exclusive=[("workflow", "workflow_id")],
        required_one_of=[("api_key", "api_key_file")],
    )
    run_info(module, lambda: read(module.params, module.check_mode))


if __name__ == "__main__":
    main()

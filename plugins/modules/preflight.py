#!/usr/bin/python
# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Say everything that is wrong before anything is touched
version_added: "0.1.0"
author: [bestviable.planner_memory contributors (@bestviable)]
description:
  - With O(role) remembers, on the controller and without touching the host, which O(rules) do not hold, which variables
    with the role's prefix do not exist, and which do not fit the role's C(meta/argument_specs.yml).
  - With O(report=true) fails with all that was remembered for this host, one sentence each.
attributes:
  action:
    support: full
    description: The work is done on the controller.
  check_mode:
    support: full
    description: Can run in check mode and never changes anything.
  diff_mode:
    support: none
    description: Nothing changes, so there is no difference to show.
options:
  role:
    description: Name of the role, whose variables begin with it and an underscore.
    type: str
  rules:
    description: What has to hold.
    type: list
    elements: dict
    default: []
    suboptions:
      that:
        description: A template that gives true or false.
        type: raw
        required: true
      msg:
        description:
          - One sentence that names the option, its value and the way out.
          - Evaluated only when the rule does not hold.
        type: str
        required: true
      warn:
        description: Whether the sentence is only a warning, given at once.
        type: bool
        default: false
  report:
    description: Fail with everything that was remembered.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Look whether the input can work
  bestviable.planner_memory.preflight:
    role: valkey
    rules:
      - that: "{{ valkey_memory_limit | bestviable.planner_memory.docker_bytes is not none }}"
        msg: "valkey_memory_limit is '{{ valkey_memory_limit }}', which is no memory size; write it like 200m."

- name: Say everything that is wrong
  bestviable.planner_memory.preflight:
    report: true
"""

RETURN = r"""
problems:
  description: What is wrong, one sentence each. A task that fails has them in C(msg).
  returned: success
  type: list
  elements: str
  sample: ["unknown variable valkey_memroy_limit: did you mean valkey_memory_limit?"]
"""

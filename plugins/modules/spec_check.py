#!/usr/bin/python
# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: spec_check
short_description: Collect what must hold on a host, ask it once, and judge
version_added: "0.1.0"
author: [bestviable.planner_memory contributors (@bestviable)]
description:
  - With O(checks) only remembers them for this host, on the controller, without running a module on the host.
  - With O(report=true) asks everything that was remembered in one run of M(bestviable.planner_memory.spec_probe),
    judges every answer, prints a table, and fails when a check failed.
  - The path of an expectation is separated by slashes, keys may contain dots, and the elements of a list have numbers.
    Its matcher is a literal, which has to be equal, or a mapping with C(equals), C(contains), C(superset),
    C(keys) (a mapping with exactly these),
    C(regex), C(min), C(max), C(one_of) or C(absent).
attributes:
  action:
    support: full
    description: The work is done on the controller.
  check_mode:
    support: partial
    description: Can run in check mode and return what a run would have returned.
    details: In check mode the host is not asked, and the table says what would be checked.
  diff_mode:
    support: none
    description: Nothing changes, so there is no difference to show.
options:
  checks:
    description: Checks to remember.
    type: list
    elements: dict
    suboptions:
      id:
        description: The scenario of the specification, such as V(1.2); several roles may check parts of one scenario.
        type: str
        required: true
      title:
        description: What has to hold, in words.
        type: str
        required: true
      probes:
        description:
          - What to ask, in order, and what to expect; all must hold.
          - Each is one of the kinds of M(bestviable.planner_memory.spec_probe) beside C(expect), and with C(within)
            is asked again for so many seconds until it holds.
        type: list
        elements: dict
        default: []
      active_probes:
        description: Probes that write; they run after O(checks[].probes), and only with O(active=true).
        type: list
        elements: dict
        default: []
      deviates:
        description: Why what holds is not the letter of the specification; empty where it is.
        type: str
        default: ""
      not_built:
        description: Why there is nothing to check yet.
        type: str
        default: ""
  report:
    description: Ask, judge and print.
    type: bool
    default: false
  active:
    description: Also run the probes that write.
    type: bool
    default: false
  fail:
    description: Fail when a check failed.
    type: bool
    default: true
  expected_ids:
    description:
      - Scenarios that have to appear; those that nobody checks are listed with the verdict V(no check).
      - By default all 35 of the specification, or none when the run is limited by tags.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Say what must hold
  bestviable.planner_memory.spec_check:
    checks:
      - id: "1.2"
        title: Valkey answers PING
        probes:
          - exec: {container: valkey, argv: [redis-cli, ping]}
            expect: {stdout: PONG, rc: 0}

- name: Ask the host and judge
  bestviable.planner_memory.spec_check:
    report: true
"""

RETURN = r"""
checks:
  description: One entry a scenario. A task that fails has printed them and does not return them.
  returned: success, with O(report=true)
  type: list
  elements: dict
  contains:
    id:
      description: The scenario.
      type: str
      returned: success
    title:
      description: What has to hold.
      type: str
      returned: success
    verdict:
      description: V(ok), V(FAILED), V(deviates), V(not built), V(not tried), V(no check), or V(to check) in check mode.
      type: str
      returned: success
    ok:
      description: Whether the verdict is V(ok).
      type: bool
      returned: success
    evidence:
      description: What was seen.
      type: str
      returned: success
  sample:
    - id: "1.2"
      title: Valkey answers PING
      verdict: ok
      ok: true
      evidence: "redis-cli ping in valkey: PONG, 43 ms"
summary:
  description: How many scenarios have which verdict.
  returned: with O(report=true)
  type: dict
  sample: {"ok": 31, "deviates": 1, "not built": 3}
probes_run:
  description: How many questions were put to the host.
  returned: with O(report=true)
  type: int
  sample: 54
"""

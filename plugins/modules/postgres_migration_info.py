#!/usr/bin/python
# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_migration_info
short_description: Tell which migrations of a PostgreSQL database ran, wait, failed, or were edited
version_added: "0.1.0"
description:
  - Reads the history that M(bestviable.planner_memory.postgres_migration) keeps, and the catalog. Nothing is run and
    nothing is locked.
author: [bestviable.planner_memory contributors (@bestviable)]
extends_documentation_fragment:
  - bestviable.planner_memory.postgres
  - bestviable.planner_memory.postgres.migrations
attributes:
  check_mode:
    support: full
    description: Can run in check_mode and return changed status prediction without modifying target.
    details: [This module never changes anything.]
  diff_mode:
    support: N/A
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
options:
  settings:
    description: The settings that were given to M(bestviable.planner_memory.postgres_migration).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Look at the migrations of a database
  bestviable.planner_memory.postgres_migration_info:
    login_user: n8n
    login_password: "{{ vault_postgres_password }}"
    login_db: n8ndb
    directory: /srv/app/migrations
  register: migrations
"""

RETURN = r"""
applied:
  description: Names of the files that ran, in order.
  returned: success
  type: list
  elements: str
  sample: [002_planner_memory_schema.sql]
pending:
  description: Names of the files that never ran, and of the repeatable ones that changed since they ran.
  returned: success
  type: list
  elements: str
  sample: [003_add_a_column.sql]
unfinished:
  description: Names of files without transaction that were begun and did not end.
  returned: success
  type: list
  elements: str
  sample: []
edited:
  description: Names of the files that were edited after they ran.
  returned: success
  type: list
  elements: str
  sample: []
unknown:
  description: Names of files that ran and are not among those given; a warning tells each.
  returned: success
  type: list
  elements: str
  sample: []
due:
  description: What watching files say is due again.
  returned: success
  type: list
  elements: str
  sample: [prompt template daily_reflection is missing]
kept:
  description: What watching files say that they leave alone.
  returned: success
  type: list
  elements: str
  sample: [prompt template weekly_review was edited by a person and is kept]
drift:
  description:
    - In what the database is not what the files that ran declare; null where no run has kept what they declare.
  returned: success
  type: list
  elements: str
  sample: [table events lacks index idx_events_created_at btree (created_at DESC)]
"""

from contextlib import closing
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations import files, session
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.history import History
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.patience import (
    Patience,
    with_locks,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.plan import standing
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.resource import Look
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import run_info


def look(params: dict[str, Any]) -> dict[str, Any]:
    migrations, own = files.from_params(params)
    settings = {
        "search_path": session.quoted(params["schema"]),
        "default_transaction_read_only": "on",
        "lock_timeout": "500ms",
        **own,
    }
    with closing(session.Session(params, settings)) as connected:
        history = History(connected, params["schema"], params["history_table"])
        here = Look(connected, history, params["schema"])
        seen = with_locks(
            connected,
            Patience(3),
            lambda: here.at(migrations, drift=True, scratch=False),
            "the look at the database",
            "nothing is known of it now",
        )
    return standing(seen, migrations)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **session.CONNECTION_OPTIONS,
            **files.SOURCE_OPTIONS,
        },
        **files.SOURCE_RULES,
        supports_check_mode=True,
    )
    run_info(module, lambda: look(module.params))


if __name__ == "__main__":
    main()

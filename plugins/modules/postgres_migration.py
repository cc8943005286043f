#!/usr/bin/python
# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_migration
short_description: Bring a PostgreSQL database to the last of its migrations
version_added: "0.1.0"
description:
  - Runs SQL files that are named C(NNN_name.sql) in the order of their numbers, each exactly once and each in one
    transaction that also writes its row in the history table.
  - A file that was edited after it ran is refused, with both checksums and when it ran.
  - Only one run at a time works on a history; a second one waits for an advisory lock of the session.
  - With nothing to do the module only reads.
author: [bestviable.planner_memory contributors (@bestviable)]
extends_documentation_fragment: [bestviable.planner_memory.postgres]
attributes:
  check_mode:
    support: full
    description: Can run in check_mode and return changed status prediction without modifying target.
    details:
      - The pending files are really executed, all in one transaction that is rolled back, so that a mistake in them
        is found. They take the same locks for that moment, and sequences of tables that exist already may move on.
      - Before the server exists nothing can be rehearsed; see O(assume_empty_if_unreachable).
  diff_mode:
    support: full
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
options:
  migrations:
    description:
      - The files, given from the controller with their content, so that one task reaches a remote host.
      - Their order does not matter.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the file, such as V(002_planner_memory_schema.sql).
        type: str
        required: true
      sql:
        description:
          - Content of the file. Transaction control such as C(BEGIN) or C(COMMIT) is refused.
          - What editors change on their own (line ends, blanks at the end of a line) does not count as an edit.
        type: str
        required: true
  directory:
    description: Directory on the target host whose C(*.sql) files are the migrations.
    type: path
  schema:
    description: Existing schema for the history table, and the C(search_path) of the migrations.
    type: str
    default: public
  history_table:
    description:
      - Table that keeps which files ran, with checksum, user, moment and duration.
      - It is created with the first file.
    type: str
    default: schema_migrations
  out_of_order:
    description: Whether a new file may have a lower number than one that has run.
    type: bool
    default: false
  lock_timeout:
    description: Milliseconds that a statement may wait for a table in use, and so block others that queue behind it.
    type: int
    default: 500
  lock_wait:
    description:
      - Seconds to try again, with growing pauses, when a table is in use or when another run holds the advisory lock.
    type: float
    default: 30
  statement_timeout:
    description: Seconds after which a statement of a migration is cancelled; V(0) means never.
    type: int
    default: 300
  assume_empty_if_unreachable:
    description:
      - In check mode, take all migrations as pending where no server answers, because this same run would create it.
        The same goes for a missing psycopg2.
      - Has no effect outside of check mode.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Bring the database to the last migration
  bestviable.planner_memory.postgres_migration:
    login_user: n8n
    login_password: "{{ vault_postgres_password }}"
    login_db: n8ndb
    migrations:
      - name: 001_customers.sql
        sql: "{{ lookup('ansible.builtin.file', 'migrations/001_customers.sql', rstrip=false) }}"

- name: Run the files of a directory on the target host
  bestviable.planner_memory.postgres_migration:
    login_host: db.example.com
    login_user: app
    login_password: "{{ vault_app_password }}"
    login_db: app
    ssl_mode: verify-full
    ca_path: /etc/ssl/certs/ca-certificates.crt
    directory: /srv/app/migrations
    history_table: app_migrations
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: [apply 002_planner_memory_schema.sql]
applied:
  description: Every migration that has run, with those of this run; in check mode with those that would run.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the file.
      type: str
      sample: 002_planner_memory_schema.sql
    checksum:
      description: SHA-256 of the normalised text.
      type: str
      sample: 5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03
    applied_at:
      description: When it ran; null for one that would run.
      type: str
      sample: "2026-11-23T18:00:00.000000+00:00"
    applied_by:
      description: User that ran it; null for one that would run.
      type: str
      sample: n8n
    duration_ms:
      description: How long it took; null for one that would run.
      type: int
      sample: 85
statements:
  description: The statements that ran, in check mode those that ran in the transaction that was rolled back.
  returned: success
  type: list
  elements: dict
  contains:
    migration:
      description: Name of the file.
      type: str
      sample: 002_planner_memory_schema.sql
    line:
      description: Line of the file on which the statement starts.
      type: int
      sample: 21
    statement:
      description: The statement on one line, shortened.
      type: str
      sample: CREATE INDEX IF NOT EXISTS idx_events_event_type ON events (event_type)
    rows:
      description: Rows that it touched, V(-1) where that means nothing.
      type: int
      sample: -1
"""

from contextlib import ExitStack, closing
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import Unreachable
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations import files, session
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.history import History
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.resource import (
    Migrations,
    Patience,
    Unborn,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Resource, run_module


def build(params: dict[str, Any], *, may_be_unborn: bool, stack: ExitStack) -> Resource:
    given = params["migrations"] if params["directory"] is None else files.read_directory(params["directory"])
    migrations = files.build(given)
    settings = {
        "search_path": session.quoted(params["schema"]),
        "lock_timeout": f"{params['lock_timeout']}ms",
        "statement_timeout": f"{params['statement_timeout']}s",
    }
    try:
        connected = stack.enter_context(closing(session.Session(params, settings)))
    except (Unreachable, session.DriverMissing) as error:
        if may_be_unborn:
            return Unborn(migrations, str(error))
        raise
    return Migrations(
        connected,
        History(connected, params["schema"], params["history_table"]),
        migrations,
        out_of_order=params["out_of_order"],
        patience=Patience(params["lock_wait"]),
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **session.CONNECTION_OPTIONS,
            "migrations": {
                "type": "list",
                "elements": "dict",
                "options": {"name": {"type": "str", "required": True}, "sql": {"type": "str", "required": True}},
            },
            "directory": {"type": "path"},
            "schema": {"type": "str", "default": "public"},
            "history_table": {"type": "str", "default": "schema_migrations"},
            "out_of_order": {"type": "bool", "default": False},
            "lock_timeout": {"type": "int", "default": 500},
            "lock_wait": {"type": "float", "default": 30},
            "statement_timeout": {"type": "int", "default": 300},
            "assume_empty_if_unreachable": {"type": "bool", "default": False},
        },
        required_one_of=[("migrations", "directory")],
        mutually_exclusive=[("migrations", "directory")],
        supports_check_mode=True,
    )
    may_be_unborn = module.check_mode and module.params["assume_empty_if_unreachable"]
    with ExitStack() as stack:
        run_module(module, lambda: build(module.params, may_be_unborn=may_be_unborn, stack=stack))


if __name__ == "__main__":
    main()

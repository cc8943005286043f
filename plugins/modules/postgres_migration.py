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
  - Statements that give no rows are sent together with the next one. Where the server refuses one of them, the file is
    begun again, each statement by itself, so that the line can be named.
  - A file that was edited after it ran is refused, with both checksums and when it ran.
  - Only one run at a time works on a history; a second one waits for an advisory lock of the session.
  - >-
    Files that are named C(R__name.sql) are repeatable, and run after the others whenever their text changes.
    With the line V(-- migrate: watch name(\)) such a file names a function that it creates and that returns rows of
    C(words text, due boolean). It is asked on every run; a row that is due runs the file again, others are warnings.
  - >-
    A file that begins with the line C(-- migrate: no-transaction) runs without one, for an index that is built
    C(CONCURRENTLY), which needs C(IF NOT EXISTS). After an interruption it starts over, and an index that was never
    finished is dropped first. Anything else that has the index's name already is refused, with what both are.
  - With nothing to do the module only reads.
author: [bestviable.planner_memory contributors (@bestviable)]
extends_documentation_fragment:
  - bestviable.planner_memory.postgres
  - bestviable.planner_memory.postgres.migrations
attributes:
  check_mode:
    support: full
    description: Can run in check_mode and return changed status prediction without modifying target.
    details:
      - The pending files are really executed, all in one transaction that is rolled back, so that a mistake in them
        is found, also one that only a commit would meet. They take the same locks for that moment, and sequences of
        tables that exist already may move on.
      - Where that one transaction would hold more than half of the locks that the server has room for, the rehearsal
        ends there; a warning says so.
      - A file without transaction cannot be rehearsed, nor what comes after it; a warning says so. Only what has the
        name of an index that it begins with is found.
      - Indexes that O(on_drift=repair) would build are not rehearsed either, because that would shut out who writes.
      - Before the server exists nothing can be rehearsed; see O(assume_empty_if_unreachable).
  diff_mode:
    support: full
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
options:
  settings:
    description:
      - Settings of your own, as V(app.mode), that the files read with C(current_setting); the name needs a dot.
      - A repeatable file runs again when a setting whose name stands in it changes.
    type: dict
    default: {}
  out_of_order:
    description: What happens to a new file with a lower number than one that has run.
    type: str
    choices: [refuse, run, skip]
    default: refuse
  baseline:
    description:
      - In a database that has no history yet, files up to this number count as run before and are only recorded.
      - What they declare is compared with what is there like that of files which ran; see O(on_drift).
      - Refused where no table, view or function of theirs is there.
      - Has no effect once there is a history.
    type: int
  target:
    description:
      - Number above which no file runs.
      - Where it keeps files back, the repeatable ones wait too, because they belong to the last state.
    type: int
  repair:
    description: Names of files whose edit after they ran is accepted; their new checksum is recorded, nothing runs.
    type: list
    elements: str
    default: []
  on_drift:
    description:
      - What to do where the live catalog is not what the files declare.
        Tables, columns (type, length, nullability, default), constraints, indexes, views and functions are compared,
        without running anything. What the database has beyond that is left alone, and told where a table refuses rows
        for it that the files allow, as for a column that must not be null and has no default.
      - V(report) warns, V(fail) fails, V(repair) adds what is missing and fails where adding is not enough,
        V(ignore) does not look.
      - V(repair) builds indexes C(CONCURRENTLY), and adds checks and foreign keys as C(NOT VALID) before it validates
        them, each committed by itself, so that nobody who uses the table waits for long; where the rows do not allow
        it, nothing of it stays. A primary key, a unique constraint and C(NOT NULL) shut everybody out while the server
        reads the table, and an index of a partitioned table those who write.
      - What the files declare is found out in an empty schema beside the real one. Only statements that make, alter or
        drop tables, indexes, views, functions, types and sequences run there; rows are never touched. Where that is
        not possible, as with names of other schemas, V(report) warns, V(fail) and V(repair) fail.
      - Unless it is V(ignore), a file with C(IF NOT EXISTS) is held to its word in its own transaction. What the things
        that it found lack is added; what contradicts it is refused, and nothing of the file is applied. So is a column
        that must not be null, has no default and stands in no file, a check that no file declares, and a
        function or a view that no file made and that a file with C(CREATE OR REPLACE), also a repeatable one at its
        first run, would replace with another. V(ignore) has it replaced.
    type: str
    choices: [ignore, report, fail, repair]
    default: report
  borrowed_tables:
    description:
      - Tables of the schema that other systems own and that the files refer to.
      - What the files declare is found out in an empty schema, in a transaction that is rolled back; empty copies of
        these tables stand in there.
    type: list
    elements: str
    default: []
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
      - In check mode, take all migrations as pending where nothing takes a connection, because this same run would
        create the server. The same goes for a missing psycopg2. A server that takes the connection and does not
        answer, or is starting up, is an error all the same.
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
drift:
  description: In what the database is not what its files declare.
  returned: success
  type: list
  elements: str
  sample: [table events lacks index idx_events_created_at btree (created_at DESC)]
kept:
  description: What watching files say that they leave alone.
  returned: success
  type: list
  elements: str
  sample: ["prompt template weekly_review was edited by a person and is kept"]
unknown:
  description: Names of files that ran and are not among those given; a warning tells each.
  returned: success
  type: list
  elements: str
  sample: []
locks:
  description:
    - In check mode, the locks that the pending files take on tables and indexes that exist already, each once, with the
      first file that takes it.
  returned: success
  type: list
  elements: dict
  contains:
    migration:
      description: Name of the file.
      type: str
      sample: 003_add_a_column.sql
    relation:
      description: Table or index.
      type: str
      sample: events
    mode:
      description: The lock as the server calls it.
      type: str
      sample: AccessExclusiveLock
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
      description: Line of the file on which the statement starts; V(0) for what was added to something found there.
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
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.history import History, Lock
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.patience import Patience
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.plan import Policy
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.resource import (
    Look,
    Migrations,
    Unborn,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Resource, run_module


def build(params: dict[str, Any], *, may_be_unborn: bool, stack: ExitStack) -> Resource:
    migrations, own = files.from_params(params)
    settings = {
        "search_path": session.quoted(params["schema"]),
        "lock_timeout": f"{params['lock_timeout']}ms",
        "statement_timeout": f"{params['statement_timeout']}s",
        **own,
    }
    policy = Policy(
        params["out_of_order"], params["baseline"], params["target"], frozenset(params["repair"]), params["on_drift"]
    )

    def connect() -> session.Session:
        return stack.enter_context(closing(session.Session(params, settings)))

    try:
        connected = connect()
    except (Unreachable, session.DriverMissing) as error:
        if may_be_unborn and (isinstance(error, session.DriverMissing) or error.nobody):
            return Unborn(migrations, str(error), policy)
        raise
    place = (params["schema"], params["history_table"])
    history = History(connected, *place)
    return Migrations(
        connected,
        history,
        Lock(connect, *place),
        Look(connected, history, params["schema"], params["borrowed_tables"]),
        migrations,
        policy=policy,
        patience=Patience(params["lock_wait"]),
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **session.CONNECTION_OPTIONS,
            **files.SOURCE_OPTIONS,
            "out_of_order": {"type": "str", "default": "refuse", "choices": ["refuse", "run", "skip"]},
            "baseline": {"type": "int"},
            "target": {"type": "int"},
            "repair": {"type": "list", "elements": "str", "default": []},
            "on_drift": {"type": "str", "default": "report", "choices": ["ignore", "report", "fail", "repair"]},
            "borrowed_tables": {"type": "list", "elements": "str", "default": []},
            "lock_timeout": {"type": "int", "default": 500},
            "lock_wait": {"type": "float", "default": 30},
            "statement_timeout": {"type": "int", "default": 300},
            "assume_empty_if_unreachable": {"type": "bool", "default": False},
        },
        **files.SOURCE_RULES,
        supports_check_mode=True,
    )
    may_be_unborn = module.check_mode and module.params["assume_empty_if_unreachable"]
    with ExitStack() as stack:
        run_module(module, lambda: build(module.params, may_be_unborn=may_be_unborn, stack=stack))


if __name__ == "__main__":
    main()

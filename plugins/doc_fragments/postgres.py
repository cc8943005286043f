# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How modules of this collection reach PostgreSQL, and which migrations they look at."""

    DOCUMENTATION = r"""
options:
  login_host:
    description: Name or address of the PostgreSQL server, as seen from the host on which the module runs.
    type: str
    default: 127.0.0.1
  login_port:
    description: Port of the PostgreSQL server.
    type: int
    default: 5432
  login_user:
    description: User to log in as; what is created belongs to this user.
    type: str
    required: true
  login_password:
    description: Password of O(login_user); leave it out where the server asks for none.
    type: str
  login_db:
    description: Database to work in; it must exist.
    type: str
    required: true
  connect_timeout:
    description: Seconds after which a server that does not answer counts as unreachable.
    type: int
    default: 10
  ssl_mode:
    description:
      - Whether the connection is encrypted, and how far the server's certificate is checked, as libpq's C(sslmode).
    type: str
    default: prefer
    choices: [disable, allow, prefer, require, verify-ca, verify-full]
  ca_path:
    description: File with the certificates that are trusted, for O(ssl_mode=verify-ca) and O(ssl_mode=verify-full).
    type: path
requirements:
  - psycopg2 on the host on which the module runs (Debian and Ubuntu package C(python3-psycopg2))
  - PostgreSQL 12 or newer
"""

    MIGRATIONS = r"""
options:
  migrations:
    description:
      - The files, given from the controller with their content, so that one task reaches a remote host.
      - Their order does not matter; an empty list is refused.
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
    description: Directory on the target host whose C(*.sql) files are the migrations; one without any is refused.
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
"""

# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the catalog knows of a schema, and what the migrations would make of an empty one."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Callable, Iterable, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.drift import quoted
from ansible_collections.bestviable.planner_memory.plugins.module_utils._migrations.files import Migration

FORM = 1
_FINDS = re.compile(r'\bCREATE\s+TABLE\s+IF\s+NOT\s+EXISTS\s+("(?:[^"]|"")+"|\w+)', re.IGNORECASE)
# Names are printed without the schema because it is first in the search path. Each condition has its index, for the
# server knows nothing yet of the sizes that a first run leaves.
_SNAPSHOT = """
WITH s AS (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = %s),
rel AS (
    SELECT c.oid, c.relname, c.relkind FROM pg_catalog.pg_class c, s
    WHERE c.relnamespace = s.oid AND c.relkind IN ('r', 'p', 'v')
      AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass
                      AND d.objid = c.oid AND d.deptype = 'e')
),
col AS (
    SELECT a.attrelid AS oid, jsonb_agg(jsonb_build_object(
        'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull,
        'default', CASE WHEN a.attidentity <> '' THEN 'nextval' ELSE pg_get_expr(d.adbin, d.adrelid) END
    ) ORDER BY a.attnum) AS found
    FROM rel JOIN pg_catalog.pg_attribute a ON a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE rel.relkind <> 'v' GROUP BY 1
),
con AS (
    SELECT c.conrelid AS oid, jsonb_agg(jsonb_build_object(
        'name', c.conname, 'kind', c.contype, 'definition', pg_get_constraintdef(c.oid),
        'columns', (SELECT jsonb_agg(a.attname ORDER BY a.attname) FROM pg_catalog.pg_attribute a
                    WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey))
    ) ORDER BY c.conname) AS found
    FROM rel JOIN pg_catalog.pg_constraint c ON c.conrelid = rel.oid AND c.contype IN ('p', 'u', 'f', 'c', 'x')
    GROUP BY 1
),
idx AS (
    SELECT i.indrelid AS oid, jsonb_agg(jsonb_build_object(
        'name', c.relname, 'unique', i.indisunique, 'valid', i.indisvalid,
        'definition', regexp_replace(pg_get_indexdef(i.indexrelid), '^.*? USING ', ''),
        'constraint', EXISTS (
            SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conrelid = i.indrelid AND k.conindid = i.indexrelid
            AND k.contype <> 'f')
    ) ORDER BY c.relname) AS found
    FROM rel JOIN pg_catalog.pg_index i ON i.indrelid = rel.oid JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    GROUP BY 1
),
fun AS (
    SELECT p.proname || '(' || oidvectortypes(p.proargtypes) || ')' AS name, pg_get_functiondef(p.oid) AS found
    FROM pg_catalog.pg_proc p, s
    WHERE p.pronamespace = s.oid AND p.prokind IN ('f', 'p')
      AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::regclass
                      AND d.objid = p.oid AND d.deptype = 'e')
)
SELECT jsonb_build_object(
    'tables', (SELECT coalesce(jsonb_object_agg(rel.relname, jsonb_build_object(
        'columns', coalesce(col.found, '[]'), 'constraints', coalesce(con.found, '[]'),
        'indexes', coalesce(idx.found, '[]')
    )), '{}') FROM rel LEFT JOIN col USING (oid) LEFT JOIN con USING (oid) LEFT JOIN idx USING (oid)
    WHERE rel.relkind <> 'v'),
    'views', (SELECT coalesce(jsonb_object_agg(relname, pg_get_viewdef(oid)), '{}') FROM rel WHERE relkind = 'v'),
    'functions', (SELECT coalesce(jsonb_object_agg(name, found), '{}') FROM fun)
) AS found
"""


def snapshot(session: Any, schema: str) -> dict[str, Any]:
    """Tables, views and functions of a schema that is first in the search path, without its name in any text."""
    found = session.rows(_SNAPSHOT, (schema,))[0]["found"]
    prefix = re.compile(rf'^(CREATE OR REPLACE (?:FUNCTION|PROCEDURE) )"?{re.escape(schema)}"?\.')
    found["functions"] = {name: prefix.sub(r"\1", text) for name, text in found["functions"].items()}
    found["views"] = {
        name: f"CREATE OR REPLACE VIEW {quoted(name)} AS\n{text.strip().rstrip(';')}"
        for name, text in found["views"].items()
    }
    return found


def key(server: int, migrations: Iterable[Migration], borrowed: Sequence[str]) -> str:
    """What a kept declaration depends on."""
    parts = [str(FORM), str(server // 10000), *borrowed]
    parts += [f"{one.name} {one.checksum}" for one in migrations]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def concerns(migration: Migration) -> Callable[[str], bool]:
    """Whether a name occurs in the text of a file."""
    words = frozenset(re.findall(r"\w+", migration.sql))
    return lambda name: name in words


def finds(migration: Migration) -> Callable[[str], bool]:
    """Whether a file goes on where a table of this name is there already."""
    tables = frozenset(
        name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()
        for name in _FINDS.findall(migration.sql)
    )
    return lambda name: name in tables

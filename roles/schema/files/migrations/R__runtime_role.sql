-- migrate: watch runtime_role_review()
-- What the services may do at run time: read and write rows, and nothing that changes the schema.
-- The setting planner_memory.runtime_role names the role; where it is empty there is none.
-- The role cannot log in by itself; let a service's user act as it: GRANT planner_memory_app TO that_user.
-- A right that was lost is given again by the next run; one that a person added, to the role or to PUBLIC, is kept and
-- reported.

CREATE OR REPLACE FUNCTION runtime_role_rights()
RETURNS TABLE (kind TEXT, name TEXT, rights TEXT[])
LANGUAGE sql
STABLE
AS $function$
    VALUES
    ('SCHEMA', quote_ident(current_schema()), ARRAY['USAGE']),
    -- What happened is never changed.
    ('TABLE', 'events', ARRAY['SELECT', 'INSERT']),
    ('TABLE', 'plans', ARRAY['SELECT', 'INSERT', 'UPDATE']),
    ('TABLE', 'scheduler_runs', ARRAY['SELECT', 'INSERT', 'UPDATE']),
    ('TABLE', 'execution_runs', ARRAY['SELECT', 'INSERT', 'UPDATE']),
    ('TABLE', 'graph_nodes', ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']),
    ('TABLE', 'graph_edges', ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']),
    ('TABLE', 'prompt_templates', ARRAY['SELECT']),
    ('TABLE', 'execution_run_stats', ARRAY['SELECT']),
    ('FUNCTION', 'get_graph_neighbors(VARCHAR)', ARRAY['EXECUTE'])
    -- Whatever they are called: a table that somebody made may have been renamed, and its sequence not.
    UNION ALL
    SELECT 'SEQUENCE', pg_get_serial_sequence(numbered.name, 'id')::regclass::text, ARRAY['USAGE']
    FROM unnest(ARRAY['events', 'plans', 'scheduler_runs', 'execution_runs', 'graph_nodes', 'graph_edges']) AS numbered (name)
    WHERE to_regclass(numbered.name) IS NOT NULL AND pg_get_serial_sequence(numbered.name, 'id') IS NOT NULL
    -- Another system's table, which its owner may have kept to itself.
    UNION ALL
    SELECT 'TABLE', 'client_profiles', ARRAY['SELECT']
    WHERE has_table_privilege(to_regclass('client_profiles')::oid, 'SELECT WITH GRANT OPTION')
$function$;

-- What every user of the database may do beside that: with our rows, or in the schema, where a function of theirs could
-- be found in place of ours. client_profiles is another system's, and functions act with the rights of who calls them.
CREATE OR REPLACE FUNCTION public_rights()
RETURNS TABLE (kind TEXT, name TEXT, rights TEXT)
LANGUAGE sql
STABLE
AS $function$
    SELECT r.kind, r.name, string_agg(given.one, ', ' ORDER BY given.one)
    FROM runtime_role_rights() AS r
    JOIN pg_class AS c ON r.kind IN ('TABLE', 'SEQUENCE') AND c.oid = to_regclass(r.name)
    CROSS JOIN LATERAL (
        SELECT a.privilege_type AS one FROM aclexplode(c.relacl) AS a WHERE a.grantee = 0
        UNION ALL
        SELECT format('%s (%I)', a.privilege_type, col.attname)
        FROM pg_attribute AS col CROSS JOIN aclexplode(col.attacl) AS a
        WHERE col.attrelid = c.oid AND NOT col.attisdropped AND a.grantee = 0
    ) AS given
    WHERE r.name <> 'client_profiles'
    GROUP BY r.kind, r.name
    UNION ALL
    SELECT 'SCHEMA', quote_ident(n.nspname), 'CREATE'
    FROM pg_namespace AS n CROSS JOIN aclexplode(n.nspacl) AS a
    WHERE n.nspname = current_schema() AND a.grantee = 0 AND a.privilege_type = 'CREATE'
$function$;

CREATE OR REPLACE FUNCTION runtime_role_review()
RETURNS TABLE (words TEXT, due BOOLEAN)
LANGUAGE plpgsql
STABLE
AS $function$
DECLARE
    runtime text := coalesce(current_setting('planner_memory.runtime_role', true), '');
BEGIN
    RETURN QUERY
    SELECT format('PUBLIC, which is every user of the database, has %1$s on %2$s; REVOKE %1$s ON %3$s %2$s FROM PUBLIC takes it back',
        p.rights, p.name, p.kind), false
    FROM public_rights() AS p;
    IF runtime = '' THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = runtime) THEN
        RETURN QUERY SELECT format('role %s does not exist', runtime), true;
        RETURN;
    END IF;
    -- A thing that is not there is nobody's lack of rights.
    RETURN QUERY
    SELECT format('role %s lacks %s on %s', runtime, string_agg(asked.one, ', '), r.name), true
    FROM runtime_role_rights() AS r CROSS JOIN unnest(r.rights) AS asked (one)
    WHERE NOT CASE r.kind
        WHEN 'SCHEMA' THEN has_schema_privilege(runtime::name, current_schema(), asked.one)
        WHEN 'TABLE' THEN has_table_privilege(runtime::name, to_regclass(r.name)::oid, asked.one)
        WHEN 'SEQUENCE' THEN has_sequence_privilege(runtime::name, to_regclass(r.name)::oid, asked.one)
        WHEN 'FUNCTION' THEN has_function_privilege(runtime::name, to_regprocedure(r.name)::oid, asked.one)
    END
    GROUP BY r.name;
    RETURN QUERY
    SELECT format('role %s has %s on %s beyond what it needs, and keeps it',
        runtime, string_agg(given.privilege_type, ', ' ORDER BY given.privilege_type), r.name), false
    FROM runtime_role_rights() AS r
    JOIN pg_class AS c ON c.oid = to_regclass(r.name)
    CROSS JOIN aclexplode(c.relacl) AS given
    JOIN pg_roles AS grantee ON grantee.oid = given.grantee
    WHERE r.kind = 'TABLE' AND grantee.rolname = runtime AND NOT given.privilege_type = ANY (r.rights)
    GROUP BY r.name;
END
$function$;

DO $grants$
DECLARE
    runtime text := coalesce(current_setting('planner_memory.runtime_role', true), '');
    thing record;
BEGIN
    IF runtime = '' THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = runtime) THEN
        IF NOT (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user) THEN
            RAISE EXCEPTION 'user % may not create the role %', current_user, runtime
                USING HINT = format('let a superuser run CREATE ROLE %I NOLOGIN, or set schema_runtime_role to an empty text', runtime);
        END IF;
        EXECUTE format('CREATE ROLE %I NOLOGIN', runtime);
    END IF;
    FOR thing IN
        SELECT * FROM runtime_role_rights() AS r
        WHERE CASE r.kind
            WHEN 'SCHEMA' THEN true
            WHEN 'FUNCTION' THEN to_regprocedure(r.name) IS NOT NULL
            ELSE to_regclass(r.name) IS NOT NULL
        END
    LOOP
        EXECUTE format('GRANT %s ON %s %s TO %I', array_to_string(thing.rights, ', '), thing.kind, thing.name, runtime);
    END LOOP;
END
$grants$;

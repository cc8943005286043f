-- What the services may do at run time: read and write rows, and nothing that changes the schema.
-- The setting planner_memory.runtime_role names the role; where it is empty there is none.
-- The role cannot log in by itself; let a service's user act as it: GRANT planner_memory_app TO that_user.

DO $grants$
DECLARE
    runtime text := coalesce(current_setting('planner_memory.runtime_role', true), '');
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
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), runtime);
    -- What happened is never changed.
    EXECUTE format('GRANT SELECT, INSERT ON events TO %I', runtime);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON plans, scheduler_runs, execution_runs TO %I', runtime);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON graph_nodes, graph_edges TO %I', runtime);
    EXECUTE format('GRANT SELECT ON prompt_templates, execution_run_stats TO %I', runtime);
    -- Another system's table, which its owner may have kept to itself.
    IF has_table_privilege('client_profiles', 'SELECT WITH GRANT OPTION') THEN
        EXECUTE format('GRANT SELECT ON client_profiles TO %I', runtime);
    END IF;
    EXECUTE format(
        'GRANT USAGE ON SEQUENCE events_id_seq, plans_id_seq, scheduler_runs_id_seq, execution_runs_id_seq,'
        ' graph_nodes_id_seq, graph_edges_id_seq TO %I', runtime
    );
    EXECUTE format('GRANT EXECUTE ON FUNCTION get_graph_neighbors(VARCHAR) TO %I', runtime);
END
$grants$;

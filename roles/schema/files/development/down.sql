-- For development only: takes away everything that the migrations of this role made, with all rows, and what they wrote
-- into the history. No playbook runs it, and it wants to be told the database by name:
--
--   PGOPTIONS='-c planner_memory.down=n8ndb' psql -v ON_ERROR_STOP=1 -1 -d n8ndb -f down.sql
--
-- client_profiles stays: it is another system's unless 001 made it.

DO $confirm$
BEGIN
    IF coalesce(current_setting('planner_memory.down', true), '') <> current_database() THEN
        RAISE EXCEPTION 'this deletes all plans, events, prompts and the graph of database %', current_database()
            USING HINT = format('if you mean it: PGOPTIONS=''-c planner_memory.down=%s''', current_database());
    END IF;
END
$confirm$;

DROP VIEW IF EXISTS execution_run_stats;
DROP FUNCTION IF EXISTS runtime_role_review();
DROP FUNCTION IF EXISTS runtime_role_rights();
DROP FUNCTION IF EXISTS prompt_template_review();
DROP FUNCTION IF EXISTS shipped_prompt_templates();
DROP FUNCTION IF EXISTS earlier_prompt_contents();
DROP FUNCTION IF EXISTS get_graph_neighbors(VARCHAR);
DROP TABLE IF EXISTS prompt_templates;
DROP TABLE IF EXISTS execution_runs;
DROP TABLE IF EXISTS graph_edges;
DROP TABLE IF EXISTS graph_nodes;
DROP TABLE IF EXISTS scheduler_runs;
DROP TABLE IF EXISTS plans;
DROP TABLE IF EXISTS events;

DO $history$
BEGIN
    IF to_regclass('planner_memory_migrations') IS NOT NULL THEN
        DELETE FROM planner_memory_migrations WHERE name <> '001_client_profiles.sql';
    END IF;
END
$history$;

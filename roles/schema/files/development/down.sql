-- For development only: takes away everything that the migrations of this role made, with all rows, and what they wrote
-- into the history. No playbook runs it, and it wants to be told the database by name:
--
--   PGOPTIONS='-c planner_memory.down=n8ndb' psql -v ON_ERROR_STOP=1 -1 -d n8ndb -f down.sql
--
-- Where schema_name is not public, or schema_history_table has another name, add to PGOPTIONS
-- -c planner_memory.schema=NAME and -c planner_memory.history=NAME.
-- client_profiles stays: it is another system's unless 001 made it.

DO $confirm$
DECLARE
    place text := coalesce(nullif(current_setting('planner_memory.schema', true), ''), 'public');
    history text := coalesce(nullif(current_setting('planner_memory.history', true), ''), 'planner_memory_migrations');
BEGIN
    IF coalesce(current_setting('planner_memory.down', true), '') <> current_database() THEN
        RAISE EXCEPTION 'this deletes all plans, events, prompts and the graph of database %', current_database()
            USING HINT = format('if you mean it: PGOPTIONS=''-c planner_memory.down=%s''', current_database());
    END IF;
    -- Nothing beside this schema is found from here on.
    PERFORM set_config('search_path', quote_ident(place), false);
    IF coalesce(to_regclass('events'), to_regclass('plans'), to_regclass('prompt_templates')) IS NULL THEN
        RAISE EXCEPTION 'schema % of database % has none of the tables', place, current_database()
            USING HINT = 'name the schema that has them: PGOPTIONS=''... -c planner_memory.schema=NAME''';
    END IF;
    IF to_regclass(quote_ident(history)) IS NULL THEN
        RAISE EXCEPTION 'schema % of database % has no history table %', place, current_database(), history
            USING HINT = 'name it: PGOPTIONS=''... -c planner_memory.history=NAME''';
    END IF;
END
$confirm$;

DROP VIEW IF EXISTS execution_run_stats;
DROP FUNCTION IF EXISTS runtime_role_review();
DROP FUNCTION IF EXISTS public_rights();
DROP FUNCTION IF EXISTS runtime_role_rights();
DROP FUNCTION IF EXISTS prompt_template_review();
DROP FUNCTION IF EXISTS shipped_prompt_templates();
DROP FUNCTION IF EXISTS earlier_prompt_templates();
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
    EXECUTE format(
        'DELETE FROM %I WHERE name <> ''001_client_profiles.sql''',
        coalesce(nullif(current_setting('planner_memory.history', true), ''), 'planner_memory_migrations')
    );
END
$history$;

RESET search_path;

-- Scenario 2.7: what the records of execution teach, by process template, by workflow and by project.
-- Only a run with both figures says something about an estimate; drifts means more than 30 % off, either way.

CREATE OR REPLACE VIEW execution_run_stats AS
SELECT
    found.grouped_by,
    found.group_id,
    found.runs,
    found.average_hours,
    found.p50_hours,
    found.p90_hours,
    found.estimated_runs,
    found.average_estimated_hours,
    found.average_variance_hours,
    found.variance_percent,
    coalesce(abs(found.variance_percent) > 30, false) AS drifts
FROM (
    SELECT
        one.grouped_by,
        one.group_id,
        count(*) AS runs,
        round(avg(one.actual), 2) AS average_hours,
        round((percentile_cont(0.5) WITHIN GROUP (ORDER BY one.actual))::numeric, 2) AS p50_hours,
        round((percentile_cont(0.9) WITHIN GROUP (ORDER BY one.actual))::numeric, 2) AS p90_hours,
        count(one.actual - one.estimated) AS estimated_runs,
        round(avg(one.estimated) FILTER (WHERE one.actual IS NOT NULL), 2) AS average_estimated_hours,
        round(avg(one.actual - one.estimated), 2) AS average_variance_hours,
        round(100 * sum(one.actual - one.estimated)
            / nullif(sum(one.estimated) FILTER (WHERE one.actual IS NOT NULL), 0), 1) AS variance_percent
    FROM (
        SELECT
            kind.grouped_by,
            kind.group_id,
            run.actual_hours AS actual,
            CASE
                WHEN run.metadata ->> 'estimated_hours' ~ '^[0-9]{1,6}([.][0-9]{1,30})?$'
                    THEN (run.metadata ->> 'estimated_hours')::numeric
            END AS estimated
        FROM execution_runs AS run
        CROSS JOIN LATERAL (
            VALUES
            ('process_template', run.process_template_id),
            ('workflow', run.workflow_id),
            ('project', run.project_id)
        ) AS kind (grouped_by, group_id)
        WHERE kind.group_id IS NOT NULL
    ) AS one
    GROUP BY one.grouped_by, one.group_id
) AS found;

COMMENT ON VIEW execution_run_stats IS
    'Hours of execution_runs by process_template, workflow and project, against metadata->>estimated_hours';

WITH known AS (
    SELECT id FROM events
    WHERE metadata ->> 'idempotency_key' = $6 AND coalesce(metadata ->> 'workflow', '') NOT IN
    ('coda-to-calendar-sync', 'calendar-to-coda-sync', 'daily-observer-trigger', 'weekly-observer-trigger')
), stored AS (
    INSERT INTO events (event_type, event_source, client_id, payload, metadata)
    SELECT $1, $2, $3::integer, $4::jsonb, $5::jsonb
    WHERE NOT EXISTS (SELECT FROM known)
    ON CONFLICT ((metadata ->> 'idempotency_key')) WHERE metadata ->> 'idempotency_key' IS NOT NULL
    DO UPDATE SET event_type = events.event_type
    RETURNING id, xmax = 0 AS is_new
)
SELECT id, is_new FROM stored UNION ALL SELECT id, false FROM known

WITH known AS (
    SELECT id FROM events
    WHERE metadata ->> 'idempotency_key' = $6 AND metadata ->> 'workflow' = $5::jsonb ->> 'workflow'
), stored AS (
    INSERT INTO events (event_type, event_source, client_id, payload, metadata)
    SELECT $1, $2, (SELECT id FROM client_profiles WHERE id = $3), $4::jsonb, $5::jsonb
    WHERE NOT EXISTS (SELECT FROM known)
    ON CONFLICT ((metadata ->> 'idempotency_key')) WHERE metadata ->> 'idempotency_key' IS NOT NULL
    DO UPDATE SET event_type = events.event_type
    RETURNING id
)
SELECT id FROM stored UNION ALL SELECT id FROM known

INSERT INTO events (event_type, event_source, client_id, payload, metadata)
VALUES ($1, $2, (SELECT id FROM client_profiles WHERE id = $3), $4::jsonb, $5::jsonb)
ON CONFLICT ((metadata ->> 'idempotency_key')) WHERE metadata ->> 'idempotency_key' IS NOT NULL
DO UPDATE SET event_type = events.event_type
RETURNING id

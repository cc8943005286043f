INSERT INTO events (event_type, event_source, client_id, payload, metadata)
VALUES ($1, $2, $3, $4::jsonb, $5::jsonb)
RETURNING id

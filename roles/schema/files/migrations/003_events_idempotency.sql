-- Who reports an event twice, after a timeout or by mistake, names the same idempotency_key in metadata: one row stays.

CREATE UNIQUE INDEX IF NOT EXISTS events_idempotency_key ON events ((metadata ->> 'idempotency_key'))
    WHERE metadata ->> 'idempotency_key' IS NOT NULL;

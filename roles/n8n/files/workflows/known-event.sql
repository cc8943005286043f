SELECT EXISTS (SELECT 1 FROM events WHERE metadata ->> 'idempotency_key' = $1) AS known

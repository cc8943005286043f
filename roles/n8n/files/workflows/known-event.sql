SELECT EXISTS (
    SELECT FROM events WHERE metadata ->> 'idempotency_key' = $1
    OR (metadata ->> 'idempotency_key' = $2 AND metadata ->> 'workflow' = $3)
) AS known

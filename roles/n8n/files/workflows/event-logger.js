text('event_type', 100);
text('event_source', 50);
if (!isObject(body.payload)) details.push('payload is required and must be a JSON object');
client();
optionalText('idempotency_key', 255);
if ((body.metadata ?? null) !== null && !isObject(body.metadata)) details.push('metadata must be a JSON object');

if (details.length > 0) return [{ json: { valid: false, details } }];
const { event_type, event_source, client_id = null, payload } = body;
const key = body.idempotency_key ? { idempotency_key: body.idempotency_key } : {};
const metadata = { workflow: $workflow.name, run_id: $execution.id, ...body.metadata, ...key };
return [{ json: { valid: true, event: { event_type, event_source, client_id, payload, metadata } } }];

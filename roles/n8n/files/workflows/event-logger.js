const named = body.idempotency_key ?? body.metadata?.idempotency_key ?? null;
text('event_type', 100);
text('event_source', 50);
if (!isObject(body.payload)) details.push('payload is required and must be a JSON object');
client();
optionalText('idempotency_key', 255, named);
if ((body.metadata ?? null) !== null && !isObject(body.metadata)) details.push('metadata must be a JSON object, or left out');

if (details.length > 0) return { valid: false, details };
const { event_type, event_source, client_id = null, payload } = body;
const { key, before } = keyed('events/log', named, null);
// These names are ours: what the caller says under them is kept as metadata.reported.
const ours = ['workflow', 'run_id', 'outcome', 'reported'];
const told = Object.entries(body.metadata ?? {}).filter(([name]) => name !== 'idempotency_key');
const reported = Object.fromEntries(told.filter(([name]) => ours.includes(name)));
const metadata = {
  ...Object.fromEntries(told.filter(([name]) => !ours.includes(name))),
  ...(Object.keys(reported).length > 0 ? { reported } : {}),
  workflow: $workflow.name,
  run_id: $execution.id,
  outcome: 'success',
  ...(key ? { idempotency_key: key } : {}),
};
return { valid: true, event: { event_type, event_source, client_id, payload, metadata }, before };

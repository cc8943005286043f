text('event_id', 255);
text('task_id', 255);
text('status', 50);
client();
optionalText('idempotency_key', 255);
optionalText('updated', 50);

if (details.length > 0) return [{ json: { valid: false, details } }];
// An event changes many times: only who says when, or names a key, can tell of the same change twice.
const change = body.updated ? `${body.event_id}:${body.updated}` : `run ${$execution.id} of ${new Date().toISOString()}`;
const key = body.idempotency_key ?? `gcal/event-updated:${change}`;
return [{ json: { valid: true, change: body, client_id: body.client_id ?? null, key } }];

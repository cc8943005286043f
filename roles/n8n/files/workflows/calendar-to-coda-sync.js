text('event_id', 255);
text('task_id', 255);
text('status', 50);
client();
optionalText('idempotency_key', 255);
const updated = body.updated ?? null;
const time = typeof updated === 'string' && /^\d{4}-\d\d-\d\d/.test(updated) ? DateTime.fromISO(updated) : null;
if (updated !== null && !(time?.isValid && time.year > 0)) details.push('updated must be a time such as 2026-01-05T09:00:00Z, or left out');

if (details.length > 0) return { valid: false, details };
// An event changes many times: only who says when, or names a key, can tell of the same change twice.
const change = updated ? `${body.event_id}:${updated}` : `run ${$execution.id} of ${new Date().toISOString()}`;
const keys = keyed('gcal/event-updated', body.idempotency_key, `gcal/event-updated:${change}`);
return { valid: true, change: body, client_id: body.client_id ?? null, ...keys };

text('task_id', 255);
text('title', 500);
client();
optionalText('idempotency_key', 255);
const hours = body.estimated_hours ?? null;
if (hours !== null && !(typeof hours === 'number' && hours > 0)) details.push('estimated_hours must be a number above 0');

if (details.length > 0) return { valid: false, details };
// A task is created once: whoever tells of it again is not heard, unless the first time failed.
const keys = keyed('coda/task-created', body.idempotency_key, `coda/task-created:${body.task_id}`);
return { valid: true, task: body, client_id: body.client_id ?? null, ...keys };

const body = $json.body;
const details = [];
const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
const text = (key, longest) => {
  const value = body[key];
  if (typeof value !== 'string' || value.trim() === '') details.push(`${key} is required and must be a non-empty string`);
  else if (value.length > longest) details.push(`${key} must be at most ${longest} characters`);
};

if (!isObject(body)) {
  details.push('body must be a JSON object');
} else {
  text('event_type', 100);
  text('event_source', 50);
  if (!isObject(body.payload)) details.push('payload is required and must be a JSON object');
  const client = body.client_id ?? null;
  if (client !== null && !(Number.isInteger(client) && client > 0 && client < 2 ** 31)) details.push('client_id must be a positive integer');
  if ((body.metadata ?? null) !== null && !isObject(body.metadata)) details.push('metadata must be a JSON object');
}

if (details.length > 0) return [{ json: { valid: false, details } }];
const { event_type, event_source, client_id = null, payload } = body;
return [{ json: { valid: true, event: { event_type, event_source, client_id, payload, metadata: body.metadata ?? {} } } }];

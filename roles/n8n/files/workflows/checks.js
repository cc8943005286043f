const body = $json.body;
const details = [];
const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
const text = (key, longest) => {
  const value = body[key];
  if (typeof value !== 'string' || value.trim() === '') details.push(`${key} is required and must be a non-empty string`);
  else if (value.length > longest) details.push(`${key} must be at most ${longest} characters`);
};
const optionalText = (key, longest) => {
  if ((body[key] ?? null) !== null) text(key, longest);
};
const client = () => {
  const id = body.client_id ?? null;
  if (id !== null && !(Number.isInteger(id) && id > 0 && id < 2 ** 31)) details.push('client_id must be a positive integer');
};
if (!isObject(body)) return [{ json: { valid: false, details: ['body must be a JSON object'] } }];

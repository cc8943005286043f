const details = [];
const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
const text = (key, longest, value = body[key]) => {
  if (typeof value !== 'string' || value.trim() === '') details.push(`${key} is required and must be a non-empty string`);
  else if ([...value].length > longest) details.push(`${key} must be at most ${longest} characters`);
};
const optionalText = (key, longest, value = body[key]) => {
  if ((value ?? null) === null) return;
  if (typeof value !== 'string' || value.trim() === '') details.push(`${key} must be a non-empty string, or left out`);
  else text(key, longest, value);
};
const client = () => {
  const id = body.client_id ?? null;
  if (id !== null && !(Number.isInteger(id) && id > 0 && id < 2 ** 31)) details.push('client_id must be a positive integer below 2147483648, or left out');
};
// Postgres keeps no NUL, no half of a surrogate pair and no JSON that is nested thousands of levels deep, and a number beyond
// 2 ** 53 has been rounded before it comes here; n8n gives an expression some seconds. No recursion, so that what is too deep
// for others is refused and not fatal.
const storable = () => {
  const spoiled = /[\0\p{Surrogate}]/u;
  // What every object of JavaScript has: expressions of n8n lose keys of these names.
  const lost = /^(constructor|hasOwnProperty|isPrototypeOf|propertyIsEnumerable|to(Locale)?String|valueOf|__proto__|__(define|lookup)[GS]etter__)$/;
  const way = 'a NUL character or half of a surrogate pair, which Postgres cannot store; take it out';
  const rest = [['body', body, 1]];
  let values = 0;
  while (rest.length > 0 && details.length < 10) {
    const [path, value, depth] = rest.pop();
    if (typeof value === 'string' && spoiled.test(value)) details.push(`${path} has ${way}`);
    else if (typeof value === 'number' && !(Number.isFinite(value) && (Number.isSafeInteger(value) || !Number.isInteger(value)))) {
      details.push(`${path} is a number beyond 2 ** 53, which would be rounded; send it as a string`);
    } else if (value !== null && typeof value === 'object') {
      if (depth > 100) details.push(`${path.slice(0, 80)}… is nested deeper than 100 levels; make it flatter`);
      else if ((values += Object.keys(value).length) > 10000) {
        details.push('body holds more than 10000 values, which takes n8n too long; send fewer at once');
        return;
      } else {
        for (const [key, inner] of Object.entries(value)) {
          if (spoiled.test(key)) details.push(`${path} has a key with ${way}`);
          else if (lost.test(key)) details.push(`${path} has a key ${key}, which n8n would lose; give it another name`);
          else rest.push([Array.isArray(value) ? `${path}[${key}]` : path === 'body' ? key : `${path}.${key}`, inner, depth + 1]);
        }
      }
    }
  }
};
// A key that the caller names counts for the workflow that it was sent to; `before` is how rows hold it that are older than that.
const keyed = (path, named, otherwise) => ({
  key: named ? `${path}#${named}` : otherwise,
  before: named && !named.includes('#') ? named : null,
});
if (Number($json.headers['content-length'] ?? 0) > 1e6) return { valid: false, details: ['body must be at most 1 MB; send less at once'] };
if (!isObject(body)) return { valid: false, details: ['body must be a JSON object'] };
storable();
if (details.length > 0) return { valid: false, details };

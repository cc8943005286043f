// n8n keeps in its history what a webhook was sent, with all headers. The named ones stay readable to what asks for them by
// name, as n8n's own check of the secret does, and are listed nowhere, so that what copies or stores the headers has them not.
const hidden = (process.env.PLANNER_MEMORY_HIDDEN_HEADERS ?? '').toLowerCase().split(',').filter(Boolean);
const hide = ({ headers }) => {
  for (const name of hidden) {
    if (name in headers) Object.defineProperty(headers, name, { enumerable: false });
  }
};
module.exports = { n8n: { ready: [async ({ server }) => server.prependListener('request', hide)] } };

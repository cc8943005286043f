// An incoming webhook of Slack is its address, and no credential type of n8n's own holds one. In this one the address stands in no
// workflow and no execution: it takes the place of the HTTP Request node's when the request is sent.
class SlackIncomingWebhook {
  name = 'slackIncomingWebhook';
  displayName = 'Slack Incoming Webhook';
  properties = [
    { displayName: 'URL', name: 'url', type: 'string', typeOptions: { password: true }, default: '', required: true },
  ];
  authenticate = async ({ url }, request) => ({ ...request, url, uri: url });
}
module.exports = { SlackIncomingWebhook };

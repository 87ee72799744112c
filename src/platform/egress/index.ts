export { Mailer, type Mail } from './mailer.js';
export { OutgoingHttp, type OutgoingAnswer, type OutgoingRequest } from './outgoing-http.js';
export { newWebhookSecret, webhookHeaders } from './standard-webhook.js';
export { NameServer } from './name-server.js';
export { ProviderHttp, type ProviderRequest } from './provider-http.js';

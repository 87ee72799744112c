export { ClientEntity, ClientSecretEntity } from './client.entity.js';
export { OAUTH_FORM_PATHS } from './form.js';
export { OAuthModule } from './oauth.module.js';

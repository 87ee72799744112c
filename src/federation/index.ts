export { ConnectionEntity } from './connection.entity.js';
export { FederatedIdentityEntity } from './federated-identity.entity.js';
export { FederationModule } from './federation.module.js';
export { FORM_PATHS } from './request-parameters.js';

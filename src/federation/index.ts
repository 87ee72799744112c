export { ConnectionEntity } from './connection.entity.js';
export { FederatedIdentityEntity } from './federated-identity.entity.js';
export { ProviderUnreachable } from './federation.errors.js';
export { FindPerson } from './find-person.js';
export { FederationModule } from './federation.module.js';
export { ProviderDocuments } from './provider-documents.js';
export { KeysUnreadable, PublishedKeys } from './published-keys.js';
export { FORM_PATHS } from './request-parameters.js';

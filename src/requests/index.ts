export { FailedRequest } from './failed-request.filter.js';
export { RegistryWork } from './registry-work.js';
export { RequestsModule } from './requests.module.js';
export { ServeRequest } from './serve-request.js';
export { UnitOfWork } from './unit-of-work.js';

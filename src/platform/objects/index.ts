export { MoveObjects } from './move-objects.js';
export { RetainedObjects } from './retained-objects.js';
export {
  CellObjects,
  lockOf,
  TenantObjects,
  type ObjectStore,
  type PutObjectOptions,
} from './tenant-objects.js';

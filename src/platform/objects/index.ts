export { MoveObjects } from './move-objects.js';
export { CellObjects, TenantObjects, type ObjectStore } from './tenant-objects.js';

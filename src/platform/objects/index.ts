export { CellObjects, TenantObjects, type ObjectStore } from './tenant-objects.js';

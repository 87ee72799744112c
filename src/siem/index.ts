export { DestinationEntity } from './destination.entity.js';
export { SiemModule } from './siem.module.js';

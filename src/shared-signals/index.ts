export { SET_BODIES } from './delivery.controller.js';
export { SharedSignalsModule } from './shared-signals.module.js';

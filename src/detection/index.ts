export { DetectionModule } from './detection.module.js';

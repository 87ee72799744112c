export * from './checkpoints.js';
export * from './model.js';
export * from './sandbox.js';

export * from './agent-host-path.js';
export * from './checkpoints.js';
export * from './execute-run.js';
export * from './model-call-error.js';
export * from './model.js';
export * from './sandbox.js';

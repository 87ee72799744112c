export * from './agent-definition.js';
export * from './run.js';

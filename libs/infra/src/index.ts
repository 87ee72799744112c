export * from './egress/address-policy.js';
export * from './egress/egress-error.js';
export * from './egress/guarded-fetch.js';
export * from './models/anthropic.js';
export * from './models/demo.js';
export * from './models/model-providers.js';
export * from './models/openai.js';
export type { ModelEndpoint } from './models/provider-call.js';
export * from './sandbox/child-process.js';

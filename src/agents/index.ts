export { AgentEntity, AgentVersionEntity, ProjectEntity, type ProviderKeys } from './agent.entity.js';
export { Agents } from './agents.js';
export { AgentNotPublished } from './agents.errors.js';
export { AgentsModule } from './agents.module.js';

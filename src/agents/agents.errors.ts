import { AppError } from '../platform/http/errors.js';

export class AgentNotPublished extends AppError {
  readonly kind = 'conflict';
  readonly code = 'AGENT_NOT_PUBLISHED';
  constructor() {
    super('The agent has no published version yet. Publish it first: POST /v1/agents/{id}/publish.');
  }
}

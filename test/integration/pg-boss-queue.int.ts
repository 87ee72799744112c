import { describe } from 'vitest';
import { postgresBackend } from '../support/queue-backends.js';
import { queueContract } from '../support/queue-contract.js';

describe('PgBossQueue', () => {
  queueContract(postgresBackend);
});

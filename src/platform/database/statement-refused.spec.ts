import { describe, expect, it } from 'vitest';
import { StatementRefused } from './statement-refused.js';
import { TenantClient } from './tenant-client.js';
import { runInScope } from './tenant-scope.js';
import { tenantId } from './tenant-id.js';

const scope = { tenant: tenantId('t_0123456789abcdef'), region: 'us-east-1', cell: 'us-east-1-c1' };

describe('a tenant connection', () => {
  it.each([
    'SET ROLE "t_fedcba9876543210"',
    '-- a comment\nSET ROLE "t_fedcba9876543210"',
    '/* one /* nested */ comment */ SET ROLE "t_fedcba9876543210"',
    '; SET ROLE "t_fedcba9876543210"',
    'RESET ROLE',
    'DO $$ BEGIN END $$',
    'COPY (SELECT 1) TO STDOUT',
    'LISTEN waxell',
    `NOTIFY waxell, 'x'`,
    'SET SESSION AUTHORIZATION "t_fedcba9876543210"',
    `ALTER ROLE "t_0123456789abcdef" SET search_path = 'public'`,
    'DECLARE loot CURSOR WITH HOLD FOR SELECT 1',
    'LOCK TABLE projects',
    'PREPARE loot AS SELECT 1',
    'EXECUTE loot',
    'DEALLOCATE ALL',
    'DISCARD ALL',
    'CALL f()',
    'SELECT 1\0; SET ROLE none',
    'BEGIN',
    'COMMIT',
    'SELECTED',
    '',
  ])('refuses %j before it is sent', async (sql) => {
    // Never connected: a statement that was not refused would wait for ever.
    const refused = runInScope(scope, async () => new TenantClient({}).query(sql));
    await expect(refused).rejects.toBeInstanceOf(StatementRefused);
  });

  it.each(['', 'two words', 'a\0b', 'x'.repeat(41), `'; SET ROLE none`])(
    'refuses a statement by the name %j before it is sent',
    async (name) => {
      const refused = runInScope(scope, async () => new TenantClient({}).query({ name, text: 'SELECT 1' }));
      await expect(refused).rejects.toBeInstanceOf(StatementRefused);
    },
  );
});

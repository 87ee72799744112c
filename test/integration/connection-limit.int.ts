import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { expect, inject, it } from 'vitest';
import { adviceOn } from '../../src/platform/observability/log.js';

/** What a server says to a login, of which it lets in so many. */
async function refusalOf(limit: number, password = 'right'): Promise<unknown> {
  const url = new URL(inject('postgresUrl'));
  const superuser = new pg.Client({ connectionString: url.href });
  await superuser.connect();
  const login = `limited_${randomBytes(6).toString('hex')}`;
  try {
    await superuser.query(`CREATE ROLE ${login} LOGIN PASSWORD 'right' CONNECTION LIMIT ${limit}`);
    Object.assign(url, { username: login, password });
    const client = new pg.Client({ connectionString: url.href });
    return await client.connect().then(
      () => client.end(),
      (error: unknown) => error,
    );
  } finally {
    await superuser.query(`DROP ROLE ${login}`);
    await superuser.end();
  }
}

it('whoever finds no connection free is told of the settings that are too small', async () => {
  const advice = adviceOn(await refusalOf(0));
  expect(advice).toContain('max_connections');
  expect(advice).toContain('DATABASE_POOL');
});

it('whoever is refused for another reason is told nothing of them', async () => {
  expect(adviceOn(await refusalOf(1, 'wrong'))).toBeUndefined();
});

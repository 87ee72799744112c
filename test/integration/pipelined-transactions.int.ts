import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Statement, TenantRef } from '../../src/platform/database/index.js';
import { DATABASE_ROUTES } from '../support/database-routes.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

const PROJECT = '00000000-0000-4000-8000-0000000000';
const add = (at: number, name: unknown): Statement => ({
  text: `INSERT INTO projects (id, name, created_by) VALUES ($1, $2, 'test')`,
  values: [`${PROJECT}${String(at).padStart(2, '0')}`, name],
});
/** A value that cannot be written to the server, which hears nothing of the statement then. */
const unwritable = {
  toPostgres: () => {
    throw new Error('cannot be written');
  },
};

describe.each(DATABASE_ROUTES)('a transaction whose statements go out together, $route,', ({ options }) => {
  let db: TestDatabase;
  let acme: TenantRef;
  let other: TenantRef;

  beforeAll(async () => {
    db = await openTestDatabase(options);
    [acme, other] = [await db.newTenant(), await db.newTenant()];
  });
  afterAll(() => db.close());
  beforeEach(async () => {
    for (const { id } of [acme, other]) await db.superuser.query(`DELETE FROM "${id}".projects`);
  });

  const transaction = <T>(tenant: TenantRef, work: () => Promise<T>): Promise<T> =>
    db.database.within(tenant, () => db.transactions.run(work));
  const names = async ({ id }: TenantRef): Promise<unknown[]> => {
    const { rows } = await db.superuser.query<{ name: string }>(
      `SELECT name FROM "${id}".projects ORDER BY id`,
    );
    return rows.map(({ name }) => name);
  };

  it('commits what was sent without waiting, for its tenant alone', async () => {
    await transaction(acme, () => {
      db.database.send(add(1, 'one'));
      db.database.send(add(2, 'two'));
      return Promise.resolve();
    });
    expect(await names(acme)).toEqual(['one', 'two']);
    expect(await names(other)).toEqual([]);
  });

  it('is on the disk once it is answered, although the commit itself waited for no disk', async () => {
    for (let at = 0; at < 20; at += 1) {
      let setting = '';
      let written = '';
      await transaction(acme, async () => {
        await db.database.query(add(at, `${at}`));
        const [row] = await db.database.query<{ setting: string; written: string }>({
          text: `SELECT current_setting('synchronous_commit') AS setting, pg_current_wal_insert_lsn()::text AS written`,
          values: [],
        });
        ({ setting = '', written = '' } = row ?? {});
      });
      const { rows } = await db.superuser.query<{ durable: boolean }>(
        'SELECT pg_current_wal_flush_lsn() >= $1::pg_lsn AS durable',
        [written],
      );
      expect({ setting, durable: rows[0]?.durable }).toEqual({ setting: 'off', durable: true });
    }
  });

  it('commits nothing where something sent is refused, and says why', async () => {
    const failing = transaction(acme, async () => {
      await db.database.query(add(1, 'one'));
      db.database.send(add(1, 'the same id'));
      db.database.send(add(2, 'two'));
    });
    await expect(failing).rejects.toMatchObject({ code: '23505', constraint: 'projects_pkey' });
    expect(await names(acme)).toEqual([]);
  });

  it('says why something sent was refused, not that what was waited for came after it', async () => {
    const failing = transaction(acme, async () => {
      db.database.send(add(1, null));
      await db.database.query(add(2, 'two'));
    });
    await expect(failing).rejects.toMatchObject({ code: '23502' });
    expect(await names(acme)).toEqual([]);
  });

  it('commits nothing where something sent could not be written to the server', async () => {
    const failing = transaction(acme, () => {
      db.database.send(add(1, 'one'));
      db.database.send(add(2, unwritable));
      return Promise.resolve();
    });
    await expect(failing).rejects.toThrow('cannot be written');
    expect(await names(acme)).toEqual([]);
  });

  it('commits nothing where a failure was caught and passed over', async () => {
    const failing = transaction(acme, async () => {
      await db.database.query(add(1, 'one'));
      await db.database.query(add(1, 'the same id')).catch(() => undefined);
    });
    await expect(failing).rejects.toThrow('A statement failed');
    expect(await names(acme)).toEqual([]);
  });

  it('fails for a tenant that is not there, with nothing done for another', async () => {
    const gone = { ...acme, id: 't_00000000000000ff' as TenantRef['id'] };
    const failing = transaction(gone, async () => {
      db.database.send(add(1, 'one'));
      return db.database.query(add(2, 'two'));
    });
    await expect(failing).rejects.toThrow(/t_00000000000000ff/);
    for (const tenant of [acme, other]) expect(await names(tenant)).toEqual([]);
  });

  it('refuses to send outside of a transaction', () => {
    expect(() => db.database.within(acme, () => db.database.send(add(1, 'one')))).toThrow(/unit of work/);
  });

  it('leaves connections that the next transactions can use', async () => {
    for (let at = 0; at < 20; at += 1) {
      const name = at % 2 === 0 ? null : 'fits';
      const tried = transaction(at % 4 < 2 ? acme : other, () => {
        db.database.send(add(at % 10, name));
        return Promise.resolve();
      });
      await tried.catch(() => undefined);
    }
    expect([...(await names(acme)), ...(await names(other))].every((name) => name === 'fits')).toBe(true);
    expect((await names(acme)).length + (await names(other)).length).toBeGreaterThan(0);
  });
});

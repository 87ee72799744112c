import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyOut } from '../../src/platform/database/index.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

describe('rows that are copied out', () => {
  let db: TestDatabase;
  let pool: pg.Pool;

  beforeAll(async () => {
    db = await openTestDatabase();
    pool = new pg.Pool({ connectionString: db.url, max: 1 });
    pool.on('error', () => undefined);
  });
  afterAll(async () => {
    await pool.end();
    await db.close();
  });

  const numbers = (select: string): string => `COPY (${select}) TO STDOUT (FORMAT binary)`;

  /** The first column of each row, a bigint. */
  async function copied(select: string): Promise<number[]> {
    const client = await pool.connect();
    const found: number[] = [];
    let broken: Error | undefined;
    try {
      await copyOut(client, numbers(select), (bytes, start) =>
        found.push(Number(bytes.readBigInt64BE(start + 6))),
      );
      return found;
    } catch (error) {
      broken = error as Error;
      throw error;
    } finally {
      client.release(broken && !(broken instanceof pg.DatabaseError) ? broken : undefined);
    }
  }

  const answers = async (): Promise<unknown> => (await pool.query('SELECT 42 AS is')).rows;

  it('are all shown, in their order, and the connection goes on as it was', async () => {
    const found = await copied(
      "SELECT n, repeat('x', (n % 3000)::int) FROM generate_series(1, 5000::bigint) n",
    );
    expect(found).toEqual(Array.from({ length: 5_000 }, (_, at) => at + 1));
    expect(await copied('SELECT 1::bigint WHERE false')).toEqual([]);
    expect(await copied("SELECT 7::bigint, repeat('y', 1000000)")).toEqual([7]);
    expect(await answers()).toEqual([{ is: 42 }]);
  });

  it('end with the error of the server, also in the middle, and the connection goes on', async () => {
    await expect(copied('SELECT nothing')).rejects.toThrow('nothing');
    await expect(copied('SELECT 1000 / (3000 - n) FROM generate_series(1, 5000::bigint) n')).rejects.toThrow(
      'division by zero',
    );
    expect(await answers()).toEqual([{ is: 42 }]);
  });

  it('end with the error of who is shown them, who is shown no more, and the connection goes on', async () => {
    const client = await pool.connect();
    let shown = 0;
    const asked = copyOut(client, numbers('SELECT generate_series(1, 100000::bigint)'), () => {
      shown += 1;
      if (shown === 10) throw new Error('I have seen enough.');
    });
    await expect(asked).rejects.toThrow('seen enough');
    client.release();
    expect(shown).toBe(10);
    expect(await answers()).toEqual([{ is: 42 }]);
  });
});

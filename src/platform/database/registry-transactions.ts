import { Injectable } from '@nestjs/common';
import type pg from 'pg';
import { Cells } from './cells.js';
import type { Statement } from './tenant-database.js';

/** A running transaction on the registry. */
export interface RegistryTransaction {
  query<Row extends pg.QueryResultRow>(statement: Statement): Promise<pg.QueryResult<Row>>;
}

/**
 * Writing transactions on the registry, in the home database. For `src/requests` alone (checked by the import rules):
 * a change of the registry without its event is not possible, because this is the only way to make one.
 */
@Injectable()
export class RegistryTransactions {
  constructor(private readonly cells: Cells) {}

  async run<T>(work: (registry: RegistryTransaction) => Promise<T>): Promise<T> {
    const client = await this.cells.home.control.connect();
    let broken: Error | undefined;
    const registry: RegistryTransaction = {
      query: ({ text, values }) => client.query({ text, values: [...values] }),
    };
    try {
      await client.query('BEGIN');
      const result = await work(registry);
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch((failure: Error) => (broken = failure));
      throw error;
    } finally {
      client.release(broken);
    }
  }
}

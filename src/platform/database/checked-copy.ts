import type pg from 'pg';
import { ExtendedQuery, UNNAMED, type WireConnection } from './tenant-query.js';
import { UnnamedClient } from './unnamed-client.js';

/** What copying sends beside what every query does. pg does not type it. */
interface CopyConnection extends WireConnection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sync(): void;
}

/**
 * Executes a statement, and where it succeeds copies rows: both in one network flush, and one transaction if none is
 * open. Where the statement fails nothing is copied: the server skips the rest up to the Sync, rows included.
 *
 * @param check by its name where the client has named statements
 * @param into the `COPY ... FROM STDIN (FORMAT binary)` that takes the rows
 * @param rows of `CopyRows`
 */
export function checkedCopy(
  client: pg.ClientBase,
  check: { readonly name: string; readonly text: string; readonly values: unknown[] },
  into: string,
  rows: Buffer,
): Promise<void> {
  const name = client instanceof UnnamedClient ? UNNAMED : { name: check.name, retired: [] };
  return new Promise((resolve, reject) => {
    const done = (error: Error | null): void => (error ? reject(error) : resolve());
    client.query(new CheckedCopy(check, into, rows, done, name) as unknown as pg.Submittable);
  });
}

/** Its own fields have names that pg gives none of its query: that has `rows`, for one, which are counted. */
class CheckedCopy extends ExtendedQuery {
  constructor(
    check: { readonly text: string; readonly values: unknown[] },
    private readonly into: string,
    private readonly chunk: Buffer,
    done: (error: Error | null) => void,
    name: typeof UNNAMED,
  ) {
    super(check.text, check.values, done, name);
  }

  /** pg's step after the first statement was bound: executes it, which pg ends with a Sync, and goes on instead. */
  _getRows(connection: CopyConnection): void {
    connection.execute({ portal: '' });
    // Unnamed: parsing a COPY is a matter of microseconds, and pg keeps account of one statement's name a query.
    connection.parse({ name: '', text: this.into });
    connection.bind({ portal: '', statement: '', values: [] });
    connection.execute({ portal: '' });
    connection.sendCopyFromChunk(this.chunk);
    connection.endCopyFrom();
    connection.sync();
  }

  /** The server's word that it is ready for rows: they are on their way already. */
  handleCopyInResponse(): void {
    // Nothing is left to be done.
  }
}

import type pg from 'pg';
import { ExtendedQuery } from './tenant-query.js';

const HEADER_BYTES = 19;
const END = -1;

/**
 * Reads rows in PostgreSQL's binary COPY format, which the server makes and the process takes apart at a fraction of
 * what rows of text cost. Each is shown as it arrives, and is the buffer's only until the call returns: two bytes with the
 * number of columns, then each column, its length in four bytes before it.
 *
 * @param text the `COPY (...) TO STDOUT (FORMAT binary)`, which takes no parameters: nothing of anybody's input may be in it
 */
export function copyOut(client: pg.ClientBase, text: string, onRow: (row: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null): void => (error ? reject(error) : resolve());
    client.query(new CopyOut(text, onRow, done) as unknown as pg.Submittable);
  });
}

class CopyOut extends ExtendedQuery {
  #begun = false;

  constructor(
    text: string,
    private readonly onRow: (row: Buffer) => void,
    done: (error: Error | null) => void,
  ) {
    super(text, [], done);
  }

  /** A row, or the end; the first comes with the header before it. */
  handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    const row = this.#begun ? chunk : chunk.subarray(HEADER_BYTES);
    this.#begun = true;
    if (row.readInt16BE(0) !== END) this.onRow(row);
  }
}

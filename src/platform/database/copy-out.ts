import type { Readable } from 'node:stream';
import type pg from 'pg';
import { RowMessages, type OnRow } from './row-messages.js';
import { ExtendedQuery, type WireConnection } from './tenant-query.js';

/** How long a socket that was read is left to fill: reading costs by how often, far more than by how much. */
const FILLING_MS = 1;
/** From so many bytes on. Of a shorter answer somebody waits for every millisecond. */
const LONG_ANSWER = 4 * 1_048_576;

/**
 * Reads rows in PostgreSQL's binary COPY format, which the server makes and the process takes apart at a fraction of
 * what rows of text cost. Each is shown where it arrived: two bytes with the number of columns, then each column, its
 * length in four bytes before it.
 *
 * @param text the `COPY (...) TO STDOUT (FORMAT binary)`, which takes no parameters: nothing of anybody's input may be in it
 */
export function copyOut(client: pg.ClientBase, text: string, onRow: OnRow): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null): void => (error ? reject(error) : resolve());
    client.query(new CopyOut(text, onRow, done) as unknown as pg.Submittable);
  });
}

/** As `copyOut`, on a connection of a pool; one that has failed is not used again. */
export async function copyOutOf(pool: Pick<pg.Pool, 'connect'>, text: string, onRow: OnRow): Promise<void> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await copyOut(client, text, onRow);
  } catch (error) {
    broken = error as Error;
    throw error;
  } finally {
    client.release(broken);
  }
}

type OnData = (chunk: Buffer) => void;

/**
 * pg makes a buffer, an object and an event of every row. While this statement is the connection's, what the server
 * sends is read here, and pg is shown all of it but the rows: it listens again before it is told that the statement is over.
 */
class CopyOut extends ExtendedQuery {
  readonly #messages: RowMessages;
  #stream: Readable | undefined;
  #listeners: OnData[] = [];
  #bytes = 0;
  #filling = false;

  constructor(text: string, onRow: OnRow, done: (error: Error | null) => void) {
    super(text, [], (error) => done(error ?? this.#messages.failure ?? null));
    this.#messages = new RowMessages(onRow, {
      other: (messages) => {
        for (const listener of this.#listeners) listener(messages);
      },
      over: () => this.#giveBack(),
    });
  }

  override prepare(connection: WireConnection): void {
    const { stream } = connection as WireConnection & { readonly stream: Readable };
    this.#stream = stream;
    this.#listeners = stream.listeners('data') as OnData[];
    for (const listener of this.#listeners) stream.off('data', listener);
    stream.on('data', this.#read);
    super.prepare(connection);
  }

  readonly #read = (chunk: Buffer): void => {
    this.#bytes += chunk.length;
    try {
      this.#messages.read(chunk);
      free(chunk);
    } catch (error) {
      // Of what comes next nobody knows where it begins.
      this.#stream?.destroy(error as Error);
    }
    if (this.#filling || this.#bytes < LONG_ANSWER) return;
    this.#filling = true;
    // After all that has arrived by now.
    setImmediate(() => this.#fill());
  };

  #fill(): void {
    this.#filling = false;
    if (this.#messages.over) return;
    this.#stream?.pause();
    setTimeout(() => this.#stream?.resume(), FILLING_MS);
  }

  #giveBack(): void {
    this.#stream?.off('data', this.#read);
    for (const listener of this.#listeners) this.#stream?.on('data', listener);
  }
}

/**
 * Nobody has anything of it any more, so its memory is given back. Left to the garbage collector, a long log would make it
 * go through everything that the process holds for every few megabytes that are read: more work than the reading.
 */
function free({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

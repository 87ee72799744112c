import type { Socket } from 'node:net';

type Write = (chunk: Uint8Array, ...rest: unknown[]) => boolean;

/**
 * Gathers what a connection's statements write and sends it in batches, each when the one before has been answered: at
 * once on an idle connection, and the more together the busier it is. pg sends nine small messages a statement; one
 * system call for each statement would cost the process more than the statement does. Nothing waits for longer than it
 * would wait in the server, which takes one statement at a time.
 */
export class BatchedWrites {
  readonly #write: Write;
  #chunks: Uint8Array[] = [];
  #gathered = 0;
  #inFlight = 0;
  #scheduled = false;

  constructor(private readonly socket: Socket) {
    this.#write = socket.write.bind(socket) as Write;
    const gather: Write = (chunk, ...rest) => {
      if (rest.length > 0) {
        // Whoever wants to be told of the end of a write, as pg's goodbye does, is not kept waiting.
        this.#flush();
        return this.#write(chunk, ...rest);
      }
      this.#chunks.push(chunk);
      return true;
    };
    socket.write = gather;
  }

  /** To be called with each statement, before it writes. Returns what to call once it has been answered. */
  begin(): () => void {
    this.#gathered += 1;
    if (this.#inFlight === 0) this.#flushSoon();
    return () => {
      this.#inFlight -= 1;
      if (this.#inFlight <= 0) this.#flushSoon();
    };
  }

  /** At the end of this turn of the event loop: what else it brings goes along. */
  #flushSoon(): void {
    if (this.#scheduled || this.#gathered === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#inFlight += this.#gathered;
    this.#gathered = 0;
    if (chunks.length > 0 && !this.socket.destroyed) this.#write(Buffer.concat(chunks));
  }
}

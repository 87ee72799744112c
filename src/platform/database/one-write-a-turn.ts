import type { Socket } from 'node:net';

/**
 * Makes what is written to a socket in one turn of the event loop leave in one write. pg sends nine small messages a
 * statement; with many statements in a turn, the system calls cost more than the statements.
 */
export class OneWriteATurn {
  #pending: Uint8Array[] = [];

  constructor(socket: Socket) {
    const write = socket.write.bind(socket) as (chunk: Uint8Array, ...rest: unknown[]) => boolean;
    const flush = (): void => {
      const chunks = this.#pending;
      this.#pending = [];
      if (chunks.length > 0 && !socket.destroyed) write(Buffer.concat(chunks));
    };
    const collect = (chunk: Uint8Array, ...rest: unknown[]): boolean => {
      if (rest.length > 0) {
        // Whoever wants to be told of the end of a write, as pg's goodbye does, is not kept waiting.
        flush();
        return write(chunk, ...rest);
      }
      if (this.#pending.push(chunk) === 1) setImmediate(flush);
      return true;
    };
    socket.write = collect as Socket['write'];
  }
}

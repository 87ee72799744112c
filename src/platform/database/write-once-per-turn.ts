import type { Socket } from 'node:net';

type Write = (chunk: Uint8Array, ...rest: unknown[]) => boolean;

/**
 * Makes what is written to a socket in one turn of the event loop leave in one write. pg sends nine small messages a
 * statement; with many statements in a turn, the system calls cost more than the statements.
 */
export function writeOncePerTurn(socket: Socket): void {
  const write = socket.write.bind(socket) as Write;
  let pending: Uint8Array[] = [];
  const flush = (): void => {
    const chunks = pending;
    pending = [];
    if (chunks.length > 0 && !socket.destroyed) write(Buffer.concat(chunks));
  };
  const collect: Write = (chunk, ...rest) => {
    if (rest.length > 0) {
      // Whoever wants to be told of the end of a write, as pg's goodbye does, is not kept waiting.
      flush();
      return write(chunk, ...rest);
    }
    if (pending.push(chunk) === 1) setImmediate(flush);
    return true;
  };
  socket.write = collect;
}

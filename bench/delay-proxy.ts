/**
 * A TCP proxy that holds each piece of data back for 0.25 ms in either direction: a network with a round trip of half a
 * millisecond, for machines on which the kernel's netem may not be used. A process of its own. Node's timers know whole
 * milliseconds only, so while anything is held back it sleeps for moments and looks again.
 */
import { connect, createServer, type Socket } from 'node:net';

const DELAY_MS = 0.25;
const MOMENT_MS = 0.03;

const [port, host = '127.0.0.1'] = process.argv.slice(2);
const sleeper = new Int32Array(new SharedArrayBuffer(4));
/** In the order of their being due, as all are held back for the same time. */
const held: { due: number; deliver: () => void }[] = [];
let running = false;

function hold(deliver: () => void): void {
  held.push({ due: performance.now() + DELAY_MS, deliver });
  if (running) return;
  running = true;
  setImmediate(deliverDue);
}

function deliverDue(): void {
  for (let next = held[0]; next && next.due <= performance.now(); next = held[0]) {
    held.shift();
    next.deliver();
  }
  running = held.length > 0;
  if (!running) return;
  Atomics.wait(sleeper, 0, 0, Math.min(MOMENT_MS, Math.max(0, (held[0]?.due ?? 0) - performance.now())));
  setImmediate(deliverDue);
}

function forward(from: Socket, to: Socket): void {
  from.setNoDelay(true);
  from.on('data', (data) => hold(() => to.writable && to.write(data)));
  from.on('end', () => hold(() => to.end()));
  from.on('error', () => to.destroy());
}

const server = createServer((client) => {
  const database = connect(Number(port), host);
  forward(client, database);
  forward(database, client);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.send?.(address.port);
});
process.on('disconnect', () => process.exit(0));

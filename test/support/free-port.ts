import { createServer } from 'node:net';

/** A port of this machine that was free a moment ago; kept over restarts, a base URL stays the same. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port);
        else reject(new Error('The system named no free port'));
      });
    });
  });
}

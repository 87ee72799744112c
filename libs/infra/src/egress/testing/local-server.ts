import { createServer, type RequestListener } from 'node:http';

export interface LocalServer {
  readonly port: number;
  readonly url: string;
  /** Paths of the requests that arrived. */
  readonly requests: readonly string[];
  close(): void;
}

/** A server on loopback that a test misuses as it likes. */
export async function serveLocally(listener: RequestListener): Promise<LocalServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? '');
    listener(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on a port');
  return {
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    requests,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

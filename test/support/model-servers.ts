import { createServer, type RequestListener, type Server } from 'node:http';

export interface ModelServer {
  readonly url: string;
  /** Bodies and headers of the requests that came. */
  readonly requests: { readonly authorization: string | undefined; readonly body: string }[];
  close(): Promise<void>;
}

/** A model endpoint of the test's own making, for what no decent one does. */
export async function startModelServer(answer: RequestListener): Promise<ModelServer> {
  const requests: ModelServer['requests'] = [];
  const server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const key = request.headers['x-api-key'] ?? request.headers.authorization;
      requests.push({ authorization: String(key), body });
      answer(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

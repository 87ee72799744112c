import { request } from 'node:http';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** A request exactly as given, header by header: what `fetch` would tidy up. */
export function rawRequest(
  url: string,
  options: {
    method?: string;
    headers?: readonly (readonly [string, string])[];
    body?: string | Buffer;
    /** The address that it comes from. */
    localAddress?: string;
  },
): Promise<RawAnswer> {
  const { hostname, port, pathname, search, host } = new URL(url);
  const headers = [['Host', host] as const, ...(options.headers ?? [])].flat();
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        hostname,
        port,
        path: `${pathname}${search}`,
        method: options.method ?? 'GET',
        headers,
        localAddress: options.localAddress,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
        });
      },
    );
    sent.on('error', reject);
    sent.end(options.body);
  });
}

import { Agent, request } from 'node:https';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';

export interface TlsAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** Common name of the certificate that the server showed on this connection. */
  readonly shownBy: string;
}

export interface TlsClient {
  readonly ca: string;
  readonly cert?: string;
  readonly key?: string;
  /** Without one, each request has a connection of its own. */
  readonly agent?: Agent;
}

/** A request to https://localhost. */
export function httpsGet(port: number, path: string, client: TlsClient): Promise<TlsAnswer> {
  return new Promise((resolve, reject) => {
    const options = { host: 'localhost', port, path, family: 4, agent: false as const, ...client };
    const sent = request({ ...options, headers: { 'x-tenant-slug': 'demo' } }, (response) => {
      const chunks: Buffer[] = [];
      const shownBy = commonName(response.socket as TLSSocket);
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, shownBy });
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}

/** A connection that has finished its handshake. */
export function handshake(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', servername: 'localhost', port, ...options }, () =>
      resolve(socket),
    );
    socket.once('error', reject);
  });
}

export function commonName(socket: TLSSocket): string {
  const { subject } = socket.getPeerCertificate();
  return String(subject?.CN ?? '');
}

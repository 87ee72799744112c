import { hash } from 'node:crypto';
import { startFakeServer } from './http-server.js';

export interface BreachedPasswords {
  readonly url: string;
  /** Paths of what was asked for. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** A service of breached passwords by ranges (Have I Been Pwned) that knows one. */
export async function startBreachedPasswords(known: string): Promise<BreachedPasswords> {
  const asked: string[] = [];
  const sum = hash('sha1', known, 'hex').toUpperCase();
  const padding = `${'0'.repeat(35)}:0`;
  const server = await startFakeServer((request) => {
    asked.push(request.url ?? '');
    const found = request.url?.endsWith(sum.slice(0, 5)) ?? false;
    return { status: 200, body: found ? `${sum.slice(5)}:42\r\n${padding}` : padding };
  });
  return { url: server.url, asked, close: () => server.close() };
}

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a relay does to requests that begin so, and, where it says so, have this in their body. */
export interface Fault {
  readonly begins: string;
  readonly with?: string;
  /** Whether the server sees them all the same. */
  readonly forwards: boolean;
  /** Instead of the server's; undefined: none, ever. */
  readonly answer: { readonly status: number; readonly body: string } | undefined;
}

/** Works with the address of a server that errs in one thing, in front of one that does not. */
export async function throughRelay<T>(
  behind: string,
  fault: Fault,
  work: (url: string) => Promise<T>,
): Promise<T> {
  const relay = createServer((request, response) => {
    void relayed(behind, fault, request).then((answer) => {
      if (!answer) return;
      response
        .writeHead(answer.status, { 'content-type': 'application/scim+json' })
        .end(answer.body || undefined);
    });
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  try {
    return await work(`http://127.0.0.1:${(relay.address() as AddressInfo).port}`);
  } finally {
    relay.closeAllConnections();
    await new Promise((resolve) => relay.close(resolve));
  }
}

async function relayed(
  behind: string,
  fault: Fault,
  request: IncomingMessage,
): Promise<{ readonly status: number; readonly body: string } | undefined> {
  const { method = '', url = '' } = request;
  let body = '';
  for await (const chunk of request) body += String(chunk);
  const isHit =
    `${method} ${url.replace('/scim/v2', '')}`.startsWith(fault.begins) && body.includes(fault.with ?? '');
  if (isHit && !fault.forwards) return fault.answer;
  const { authorization = '', 'content-type': type } = request.headers;
  const answer = await fetch(`${behind}${url}`, {
    method,
    headers: { authorization, ...(type !== undefined && { 'content-type': type }) },
    ...(body !== '' && { body }),
  });
  return isHit ? fault.answer : { status: answer.status, body: await answer.text() };
}

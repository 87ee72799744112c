import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { HttpBreachRanges } from './breach-ranges.js';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function served(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
  withinMs?: number,
): Promise<HttpBreachRanges> {
  const server = createServer(handle).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const ranges = new HttpBreachRanges(
    `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    withinMs,
  );
  closing.push(
    () => ranges.close(),
    () => server.closeAllConnections(),
    () => server.close(),
  );
  return ranges;
}

it('asks for a range, padded', async () => {
  const seen: unknown[] = [];
  const ranges = await served(({ url, headers }, response) => {
    seen.push([url, headers['add-padding']]);
    response.end('A:1\r\nB:0');
  });
  expect(await ranges.range('21BD1')).toBe('A:1\r\nB:0');
  expect(seen).toEqual([['/range/21BD1', 'true']]);
});

it.each([
  ['is an error', (response: ServerResponse) => response.writeHead(503).end(), /answered with 503/],
  [
    'leads elsewhere',
    (response: ServerResponse) => response.writeHead(302, { location: '/x' }).end(),
    /redirect/,
  ],
  [
    'is larger than any range',
    (response: ServerResponse) => response.end(Buffer.alloc(2_000_000, 'A')),
    /larger than|terminated/,
  ],
  [
    'is cut',
    (response: ServerResponse) => response.writeHead(200, { 'content-length': 10 }).destroy(),
    /failed|terminated/,
  ],
])('rejects an answer that %s', async (_what, answer, why) => {
  const ranges = await served((_request, response) => void answer(response));
  await expect(ranges.range('21BD1')).rejects.toThrow(why);
});

it('does not wait for one that does not come', async () => {
  const ranges = await served(() => undefined, 50);
  await expect(ranges.range('21BD1')).rejects.toThrow(/timeout/i);
});

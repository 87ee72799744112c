/** The process that generates load with autocannon; see `http-load.ts`. */
import autocannon from 'autocannon';
import type { LoadOrder, LoadReport } from './http-load.ts';

process.on('message', (order: LoadOrder) => {
  void run(order).then((report) => process.send?.(report));
});
process.on('disconnect', () => process.exit(0));

async function run(order: LoadOrder): Promise<LoadReport> {
  const { url, method, headers, body, turns = [], connections, seconds: duration, answer } = order;
  const expected = new Set([order.status].flat());
  let connected = 0;
  const setupClient = (client: autocannon.Client): void => {
    const own = turns[connected % turns.length];
    connected += 1;
    if (own) client.setRequests(own.map((body) => ({ body })));
  };
  // autocannon's own histogram knows whole milliseconds only.
  const times: number[] = [];
  let wrong = 0;
  let example: string | undefined;
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const common = { url, method, headers, body, connections, duration, setupClient };
    const options = { ...common, expectBody: answer, idReplacement: body?.includes('[<id>]') ?? false };
    const instance = autocannon(options, (error, done) => (error ? reject(error as Error) : resolve(done)));
    instance.on('response', (_client, status, _bytes, milliseconds) => {
      if (expected.has(status)) return void times.push(milliseconds);
      wrong += 1;
      example ??= `One had the status ${status}.`;
    });
  });
  times.sort((a, b) => a - b);
  const percentile = (part: number): number => times[Math.floor((times.length - 1) * part)] ?? Number.NaN;
  return {
    answered: times.length,
    seconds: result.duration,
    p50: percentile(0.5),
    p99: percentile(0.99),
    wrong: wrong + result.errors + result.timeouts + result.mismatches,
    ...(example !== undefined && { example }),
  };
}

// A process that brings a cell's logs to cold storage, round after round, until it is killed, and says what it dropped.
// Run by Node as it is, on the built application: `cold-storer.ts URL LOGIN_SECRET CELL REGION FOLDER`.
import { setTimeout as sleep } from 'node:timers/promises';
import { FileObjectStore } from '@waxell/infra';

const [url = '', secret = '', name = '', region = '', dir = ''] = process.argv.slice(2);
const built = async <T>(path: string): Promise<T> =>
  (await import(new URL(`../../dist/${path}`, import.meta.url).href)) as T;
const { Cell, Cells } = await built<typeof import('../../src/platform/database/index.js')>(
  'platform/database/index.js',
);
const { CellObjects, RetainedObjects, TenantObjects } =
  await built<typeof import('../../src/platform/objects/index.js')>('platform/objects/index.js');
const { RetentionConfig } =
  await built<typeof import('../../src/platform/config/index.js')>('platform/config/index.js');
const { Log } = await built<typeof import('../../src/platform/observability/log.js')>(
  'platform/observability/log.js',
);
const { ColdLog } = await built<typeof import('../../src/audit/cold-log.js')>('audit/cold-log.js');
const { LogReader } = await built<typeof import('../../src/audit/log-reader.js')>('audit/log-reader.js');
const room = 'retention';
const { ColdRound } = await built<typeof import('../../src/retention/cold-round.js')>(
  `${room}/cold-round.js`,
);
const { ExpireLogs } = await built<typeof import('../../src/retention/expire-logs.js')>(
  `${room}/expire-logs.js`,
);
const { ExpireRange } = await built<typeof import('../../src/retention/expire-range.js')>(
  `${room}/expire-range.js`,
);
const { RetentionPolicy } = await built<typeof import('../../src/retention/retention-policy.js')>(
  `${room}/retention-policy.js`,
);
const { StoreLog } = await built<typeof import('../../src/retention/store-log.js')>(`${room}/store-log.js`);

const pools = { tenant: 1, lane: 1, control: 1, audit: 2 };
const cells = new Cells([
  new Cell({ name, region, capacity: 10, ownerUrl: url }, secret, pools, [], () => undefined),
]);
await cells.open();
const stores = new CellObjects(new Map([[name, new FileObjectStore({ dir })]]));
const objects = new TenantObjects(stores);
const policy = new RetentionPolicy(cells, new RetentionConfig(90, 365, { hotDays: 365, coldDays: 3_650 }));
const store = new StoreLog(cells, new LogReader(cells, new ColdLog(cells, objects)), objects);
const quiet = new Log('silent');
const retained = new RetainedObjects(cells, objects, stores);
const expire = new ExpireLogs(policy, objects, new ExpireRange(objects), retained, quiet);
const round = new ColdRound(policy, store, expire, quiet);
process.stdout.write('ready\n');
for (;;) {
  // A connection that was just killed may still hold the lock, or have the table half detached: it is tried again.
  const dropped = await round.execute(cells.home, new AbortController().signal).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    return [];
  });
  for (const period of dropped ?? []) process.stdout.write(`${period}\n`);
  await sleep(5);
}

// A process that works as the databases' owner, for tests that kill it. Runs the built application's own code, says what
// it has done line by line, and goes on until it is done or killed.
import type { MigrationInterface, QueryRunner } from 'typeorm';

async function built<T>(path: string): Promise<T> {
  return (await import(new URL(`../../dist/${path}`, import.meta.url).href)) as T;
}
const { Cell, Cells, Provisioning } = await built<typeof import('../../src/platform/database/index.js')>(
  'platform/database/index.js',
);
const migrations = await built<typeof import('../../src/migrations/index.js')>('migrations/index.js');

const [command, ownerUrl, secret, ...rest] = process.argv.slice(2);
if (command === undefined || ownerUrl === undefined || secret === undefined)
  throw new Error('usage: owner-process.ts migrate|fill|found URL SECRET ...');
const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Takes a moment for each tenant, and leaves what tells whether it was applied once: a row. */
class Slow20270101000001 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query('ALTER TABLE agents ADD COLUMN slow integer');
    await db.query('CREATE INDEX ON agents (slow)');
    await db.query(
      `INSERT INTO projects (id, name, created_by) VALUES (gen_random_uuid(), 'slow', 'migration')`,
    );
    await db.query('SELECT pg_sleep(0.002)');
  }
  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}

const CELL = 'eu-test-1-c1';
const pools = { tenant: 2, lane: 1, control: 2, audit: 1 };
const cells = new Cells([
  new Cell(
    { name: CELL, region: 'eu-test-1', capacity: 10_000, ownerUrl },
    secret,
    pools,
    [],
    () => undefined,
  ),
]);
const tenant = [...migrations.TENANT_MIGRATIONS, ...(command === 'migrate' ? [Slow20270101000001] : [])];
const provisioning = new Provisioning(cells, secret, { cell: migrations.CELL_MIGRATIONS, tenant });

if (command === 'migrate') {
  const reports = await provisioning.migrate({ batch: 5, onProgress: (_, { done }) => say(`done ${done}`) });
  if (reports.get(CELL)?.failed.length !== 0) process.exitCode = 1;
} else if (command === 'fill') {
  const target = Number(rest[0]);
  await provisioning.refillSpares(CELL, { target, rest: 0, signal: new AbortController().signal });
} else {
  // As an organisation is founded: an id is claimed, and becomes a tenant's.
  for (;;) {
    const id = await provisioning.claimId(CELL);
    say(`claimed ${id}`);
    await provisioning.createTenant({ id, region: 'eu-test-1', cell: CELL });
    say(`created ${id}`);
  }
}
await provisioning.close();
await cells.close();

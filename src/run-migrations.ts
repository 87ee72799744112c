import { AppModule } from './app.module.js';
import { openBackends } from './backends.js';
import { UsageError, type MigrateCommand } from './migrate-options.js';
import { describePlan } from './migrate-plan.js';
import { MigrateProgress } from './migrate-progress.js';
import { RELEASED_THROUGH } from './migrations/index.js';
import { readEnvironment } from './platform/config/index.js';
import type { Cells, MigrationReport, Provisioning, TenantRef } from './platform/database/index.js';
import { Log } from './platform/observability/log.js';
import { findTenants } from './tenancy/index.js';

/** Does what the command says, and says what it did. Sets the exit code to 1 where a tenant could not be migrated. */
export async function runMigrations(command: MigrateCommand): Promise<void> {
  const env = readEnvironment(process.env);
  const backends = await openBackends(env, new Log(env.LOG_LEVEL));
  try {
    // One connection more than the workers have: for what is asked between.
    await AppModule.provision(backends, command.workers + 1, (provisioning, cells) =>
      command.plan ? showPlan(provisioning) : migrate(command, provisioning, cells),
    );
  } finally {
    await backends.close();
  }
}

async function showPlan(provisioning: Provisioning): Promise<void> {
  const lines = describePlan(await provisioning.pending(), await provisioning.plan(), RELEASED_THROUGH);
  process.stdout.write(`${lines.join('\n')}\n`);
}

async function migrate(
  { canaries: named, workers, batch }: MigrateCommand,
  provisioning: Provisioning,
  cells: Cells,
): Promise<void> {
  const canaries = await canariesNamed(named, cells);
  const progress = new MigrateProgress(process.stderr);
  const reports = await provisioning.migrate({
    workers,
    batch,
    ...(canaries.length > 0 && { canaries }),
    onProgress: (name, state) => progress.show(name, state),
  });
  progress.end();
  for (const line of describeReports(reports)) process.stdout.write(`${line}\n`);
  if ([...reports.values()].some(({ failed }) => failed.length > 0)) process.exitCode = 1;
}

async function canariesNamed(named: readonly string[], cells: Cells): Promise<TenantRef[]> {
  if (named.length === 0) return [];
  const found = await findTenants(cells, named).catch((error: unknown) => {
    // Before the first migration there is neither the table nor the login that may read it.
    const { code } = error as { code?: string };
    if (code === '42P01' || code === '28P01' || code === '28000') return [];
    throw error;
  });
  const unknown = named.filter((name) => !found.some(({ id, slug }) => id === name || slug === name));
  if (unknown.length > 0) throw new UsageError(`There is no organisation ${unknown.join(', ')}.`);
  return found;
}

function describeReports(reports: ReadonlyMap<string, MigrationReport>): string[] {
  return [...reports].flatMap(([name, { cell, migrated, failed, stopped }]) => [
    `${name}: ${cell} shared migrations, ${migrated} tenants and spares migrated, ${failed.length} failed` +
      (stopped ? '; stopped at a canary, nobody else was touched' : ''),
    ...failed.map(({ schema, migration, reason }) => `  ${schema} ${migration}: ${reason}`),
  ]);
}

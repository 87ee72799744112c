import { AppModule } from './app.module.js';
import { openBackends, type Backends } from './backends.js';
import { BackupUsageError, type BackupCommand, type RestoreCommand } from './backup-options.js';
import {
  BackupFolder,
  expireBackups,
  ReadableBackup,
  RecordBackups,
  refuseSharedKey,
  writeBackup,
} from './backups/index.js';
import { readEnvironment } from './platform/config/index.js';
import {
  requireEmpty,
  restoreCell,
  type Cell,
  type Cells,
  type Provisioning,
} from './platform/database/index.js';
import { Log } from './platform/observability/log.js';

/** Makes the backups, then takes away those whose time is over. */
export async function runBackup({ to, cell, expireDays }: BackupCommand): Promise<void> {
  await withBackends(async (backends, _provisioning, cells, record) => {
    const key = await backends.backupKey();
    const chosen = cell === undefined ? cells.all() : [cellNamed(cells, cell)];
    for (const one of chosen) await refuseSharedKey(one, key.keyId);
    for (const one of chosen) {
      const { folder, manifest } = await writeBackup(one, to, key, (backup) => record.created(backup));
      const { tenants, rows, bytes } = manifest;
      say(`${one.name}: ${tenants} organisations, ${rows} rows, ${bytes} bytes in ${folder.path}`);
    }
    if (expireDays === undefined) return;
    const expired = await expireBackups(to, expireDays, new Date(), (backup) => record.expired(backup));
    for (const { id } of expired) say(`deleted ${id}, which was older than ${expireDays} days`);
  });
}

/** Builds a cell's database from a backup that was read to its end before. */
export async function runRestore({ from, verify }: RestoreCommand): Promise<void> {
  await withBackends(async (backends, provisioning, cells, record) => {
    const { kms } = await backends.backupKey();
    const backup = await ReadableBackup.open(BackupFolder.at(from), kms);
    const { id, cell: name, createdAt, tenants, rows } = backup.manifest;
    const cell = verify ? undefined : cellNamed(cells, name);
    if (cell) await requireEmpty(cell);
    await backup.verify();
    say(`${id}: whole; ${tenants} organisations, ${rows} rows of ${createdAt}`);
    if (!cell) return;
    await restoreCell(cell, backends.database.loginSecret, await provisioning.plan(), backup.parts());
    await provisioning.migrate({ cell: name });
    await record.restored(backup.manifest);
    say(`${name}: restored. What was revoked or erased since ${createdAt} has to be so again.`);
  });
}

async function withBackends(
  work: (
    backends: Backends,
    provisioning: Provisioning,
    cells: Cells,
    record: RecordBackups,
  ) => Promise<void>,
): Promise<void> {
  const env = readEnvironment(process.env);
  const backends = await openBackends(env, new Log(env.LOG_LEVEL));
  try {
    await AppModule.provision(backends, 2, async (provisioning, cells) => {
      const record = new RecordBackups(cells);
      try {
        await work(backends, provisioning, cells, record);
      } finally {
        await record.close();
      }
    });
  } finally {
    await backends.close();
  }
}

function cellNamed(cells: Cells, name: string): Cell {
  const cell = cells.all().find((candidate) => candidate.name === name);
  if (!cell) throw new BackupUsageError(`No cell of the name ${name} is configured.`);
  return cell;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

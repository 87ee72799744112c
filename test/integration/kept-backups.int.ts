import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  BackupFolder,
  BackupUnreadable,
  expireBackups,
  ReadableBackup,
  RecordBackups,
  writeBackup,
} from '../../src/backups/index.js';
import { PLATFORM_TENANT, requireEmpty } from '../../src/platform/database/index.js';
import { newBackupKey, openBackups, type Backups, type EmptyDatabase } from '../support/backups.js';
import { LOGIN_SECRET } from '../support/test-database.js';

const BACKUP = fileURLToPath(new URL('../../dist/backup.js', import.meta.url));
const RESTORE = fileURLToPath(new URL('../../dist/restore.js', import.meta.url));

let test: Backups;
beforeAll(async () => {
  test = await openBackups();
});
afterAll(() => test.close());

describe('what is no backup as it was written', () => {
  let made: BackupFolder;
  let data: Buffer;
  let manifest: string;
  let into: EmptyDatabase;
  beforeAll(async () => {
    made = (await test.written()).folder;
    data = await readFile(made.dataFile);
    manifest = await readFile(join(made.path, 'manifest.json'), 'utf8');
    into = await test.target();
  });
  /** As the command does it: nothing is touched before all of it was read. */
  const taken = async (from = made, kms = test.key.kms): Promise<void> =>
    (await ReadableBackup.open(from, kms)).verify();

  /** Where the chunks are in the file. */
  function chunks(): Buffer[] {
    const found: Buffer[] = [];
    for (let at = 0; at < data.length;) {
      const end = at + 4 + data.readUInt32BE(at) + 16;
      found.push(data.subarray(at, end));
      at = end;
    }
    return found;
  }
  const restoredData = () => writeFile(made.dataFile, data);

  it('is refused for every altered byte that is tried, at the beginning, the end and between', async () => {
    const places = [0, 3, 4, 100, 2 ** 20, data.length >> 1, data.length - 17, data.length - 1];
    for (const at of places) {
      const altered = Buffer.from(data);
      altered[at] = (altered[at] ?? 0) ^ 1;
      await writeFile(made.dataFile, altered);
      await expect(taken(), `byte ${at}`).rejects.toThrow(BackupUnreadable);
    }
    await restoredData();
    await taken();
  });

  it('is refused when it was cut short, also between two chunks; when chunks were moved, left out or put in twice', async () => {
    const all = chunks();
    expect(all.length).toBeGreaterThan(2);
    const [first, second, ...rest] = all as [Buffer, Buffer, ...Buffer[]];
    const ways: Buffer[][] = [
      [],
      [first],
      all.slice(0, -1),
      [second, first, ...rest],
      [first, ...rest],
      [first, second, second, ...rest],
      [...all, rest.at(-1) ?? first],
      [...all, Buffer.of(0)],
    ];
    for (const [way, kept] of ways.entries()) {
      await writeFile(made.dataFile, Buffer.concat(kept));
      await expect(taken(), `way ${way}`).rejects.toThrow(BackupUnreadable);
    }
    await restoredData();
    await truncate(made.dataFile, data.length - 5);
    await expect(taken()).rejects.toThrow(BackupUnreadable);
    await restoredData();
  });

  it("is refused with another's data, or a manifest that says something else", async () => {
    const other = (await test.written()).folder;
    await writeFile(made.dataFile, await readFile(other.dataFile));
    await expect(taken()).rejects.toThrow(BackupUnreadable);
    await restoredData();
    const says = JSON.parse(manifest) as Record<string, unknown>;
    const lies = {
      rows: 0,
      tenants: 1,
      createdAt: '2030-01-01T00:00:00.000Z',
      region: 'us-east-1',
      mac: '0'.repeat(64),
    };
    for (const [member, value] of Object.entries(lies)) {
      await writeFile(join(made.path, 'manifest.json'), JSON.stringify({ ...says, [member]: value }));
      await expect(taken(), member).rejects.toThrow(BackupUnreadable);
    }
    await writeFile(join(made.path, 'manifest.json'), '{');
    await expect(taken()).rejects.toThrow(BackupUnreadable);
    await writeFile(join(made.path, 'manifest.json'), JSON.stringify({ ...says, cell: 'eu-test-1-c2' }));
    await expect(taken()).rejects.toThrow('cannot be used');
    await writeFile(join(made.path, 'manifest.json'), manifest);
    await taken();
  });

  it('is refused under another key, and shows nothing of what it holds', async () => {
    const stranger = await newBackupKey();
    await expect(taken(made, stranger.kms)).rejects.toThrow('cannot be used');
    await stranger.close();
    expect(data.includes(Buffer.from(test.tenant.id))).toBe(false);
    expect(data.includes(Buffer.from('projects'))).toBe(false);
  });

  it('leaves the database empty', async () => {
    await expect(requireEmpty(into.cell)).resolves.toBeUndefined();
  });
});

function command(file: string, args: readonly string[], url: string, home: string) {
  const env = {
    PATH: process.env['PATH'],
    DATABASE_URL: url,
    DATABASE_LOGIN_SECRET: LOGIN_SECRET,
    REGION: 'eu-test-1',
    WAXELL_HOME: home,
    LOG_LEVEL: 'error',
  };
  return spawn(process.execPath, [file, ...args], { env, stdio: ['ignore', 'pipe', 'ignore'] });
}

describe('the command that makes them', () => {
  const run = (home: string, to: string) => command(BACKUP, ['--to', to], test.db.url, home);

  it('killed in the middle leaves nothing that is taken for a backup; undisturbed it records the one it makes', async () => {
    const [home, to] = [join(test.folder, 'home'), join(test.folder, 'killed')];
    await test.addProjects(test.neighbour, 60_000);
    const killed = run(home, to);
    const ended = once(killed, 'exit');
    for (;;) {
      const [name] = await readdir(to).catch(() => []);
      const size =
        name === undefined ? 0 : (await stat(join(to, name, 'data.sealed')).catch(() => undefined))?.size;
      if ((size ?? 0) > 2 ** 20) break;
      expect(killed.exitCode).toBe(null);
      await sleep(2);
    }
    killed.kill('SIGKILL');
    await ended;
    const [left] = await BackupFolder.below(to);
    if (!left) throw new Error('There is nothing left of it.');
    await expect(test.reopened(left)).rejects.toThrow('it was never finished');

    const again = run(home, to);
    const said: Buffer[] = [];
    again.stdout.on('data', (text: Buffer) => said.push(text));
    expect(await once(again, 'exit')).toEqual([0, null]);
    expect(Buffer.concat(said).toString()).toMatch(/^eu-test-1-c1: 3 organisations, \d+ rows, \d+ bytes in /);
    const whole = (await BackupFolder.below(to)).at(-1);
    const manifest = await whole?.manifest();
    const { rows } = await test.db.superuser.query<{ event: Buffer }>(
      `SELECT event FROM audit.events WHERE tenant = $1 AND action = 'backup.created'`,
      [PLATFORM_TENANT],
    );
    expect(rows.map(({ event }) => JSON.parse(event.toString()) as unknown)).toMatchObject([
      { resource: { type: 'backup', id: manifest?.id }, changes: { sha256: manifest?.sha256, tenants: 3 } },
    ]);
  }, 120_000);
});

describe('the command that restores', () => {
  it('builds the database, brings it up to date and records it; and touches none where it is wrong', async () => {
    const [home, to] = [join(test.folder, 'home'), join(test.folder, 'killed')];
    const whole = (await BackupFolder.below(to)).at(-1);
    const into = await test.target();
    const restore = async (from: string): Promise<unknown> => {
      const child = command(RESTORE, ['--from', from], into.url, home);
      return (await once(child, 'exit'))[0];
    };
    expect(await restore(to)).toBe(1);
    await requireEmpty(into.cell);
    expect(await restore(whole?.path ?? '')).toBe(0);
    expect(await test.projectsIn(into, test.tenant)).toBe(await test.projectsIn(test.db, test.tenant));
    const { rowCount } = await into.superuser.query(
      `SELECT 1 FROM audit.events WHERE tenant = $1 AND action = 'backup.restored'`,
      [PLATFORM_TENANT],
    );
    expect(rowCount).toBe(1);
  }, 120_000);
});

describe('backups whose time is over', () => {
  it('go, each with an event before; the newest of a cell stays, and so does what is none', async () => {
    const parent = join(test.folder, 'expiring');
    const record = new RecordBackups(test.db.cells);
    const failing = writeBackup(test.db.cells.home, parent, test.key, () =>
      Promise.reject(new Error('no log')),
    );
    await expect(failing).rejects.toThrow('no log');
    expect(await readdir(parent)).toEqual([]);
    const made = [];
    for (let count = 0; count < 3; count += 1)
      made.push(await writeBackup(test.db.cells.home, parent, test.key, (backup) => record.created(backup)));
    const [first = '', second = '', third = ''] = made.map(({ manifest }) => manifest.id);
    const names = (...some: readonly string[]): string[] => some.toSorted();
    const unfinished = await BackupFolder.create(parent, `20200101T000000Z-eu-test-1-c1-00000000`);
    await writeFile(join(parent, 'notes.txt'), 'not a backup');
    const days = 36;
    const later = new Date(Date.now() + days * 86_400_000);
    const expire = (now: Date, keepDays: number) =>
      expireBackups(parent, keepDays, now, (backup) => record.expired(backup));
    expect(await expire(new Date(), 35)).toEqual([]);
    expect((await readdir(parent)).length).toBe(5);
    const old = new Date(Date.now() - 3 * 86_400_000);
    await utimes(unfinished.path, old, old);
    const refused = expireBackups(parent, 35, later, () => Promise.reject(new Error('no log')));
    await expect(refused).rejects.toThrow('no log');
    expect((await expire(later, 35)).map(({ id }) => id).toSorted()).toEqual(names(first, second));
    expect((await readdir(parent)).toSorted()).toEqual(names(third, 'notes.txt'));
    await record.close();
    const { rowCount } = await test.db.superuser.query(
      `SELECT 1 FROM audit.events WHERE tenant = $1 AND action = 'backup.expired'`,
      [PLATFORM_TENANT],
    );
    expect(rowCount).toBe(2);
  });
});

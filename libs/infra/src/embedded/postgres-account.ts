import { execFile } from 'node:child_process';
import { chown } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Nothing of the application's environment, with its secrets, is handed to PostgreSQL. */
export const POSTGRES_ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
  TZ: 'UTC',
} as const;

/** As whom PostgreSQL runs. It refuses to run as root, so root hands it over to an account of its own. */
export interface PostgresAccount {
  /** Options for `spawn`; empty where PostgreSQL runs as ourselves. */
  readonly ids: { readonly uid?: number; readonly gid?: number };
  /** Gives it a file or folder that root created. */
  own(path: string): Promise<void>;
}

export async function postgresAccount(onLog: (line: string) => void): Promise<PostgresAccount> {
  if (process.getuid?.() !== 0) return { ids: {}, own: () => Promise.resolve() };
  const ids = (await accountIds()) ?? (await createAccount(onLog));
  return { ids, own: (path) => chown(path, ids.uid, ids.gid) };
}

async function accountIds(): Promise<{ uid: number; gid: number } | null> {
  try {
    const [uid, gid] = await Promise.all([
      run('id', ['-u', 'postgres'], { env: POSTGRES_ENVIRONMENT }),
      run('id', ['-g', 'postgres'], { env: POSTGRES_ENVIRONMENT }),
    ]);
    return { uid: Number.parseInt(uid.stdout, 10), gid: Number.parseInt(gid.stdout, 10) };
  } catch {
    return null;
  }
}

async function createAccount(onLog: (line: string) => void): Promise<{ uid: number; gid: number }> {
  let cause: unknown;
  try {
    const flags = ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin'];
    await run('useradd', [...flags, 'postgres'], { env: POSTGRES_ENVIRONMENT });
    onLog('created the system user postgres: PostgreSQL refuses to run as root');
  } catch (error) {
    cause = error;
  }
  const ids = await accountIds();
  if (ids) return ids;
  throw new Error(
    'PostgreSQL refuses to run as root, and the system user postgres could not be created. Create it, or run as another user.',
    { cause },
  );
}

/** Fails, naming the folder in the way, when PostgreSQL's account cannot pass through to one of the paths. */
export async function requireReachable(account: PostgresAccount, paths: readonly string[]): Promise<void> {
  if (account.ids.uid === undefined) return;
  const folders = new Set(paths.flatMap(ancestors));
  // Asked of the kernel under that account, so that ACLs and mount options count as well.
  const script = 'for folder; do test -x "$folder" || { printf %s "$folder"; exit 0; }; done';
  const { stdout } = await run('/bin/sh', ['-c', script, 'sh', ...folders], {
    ...account.ids,
    cwd: '/',
    env: POSTGRES_ENVIRONMENT,
  });
  if (stdout === '') return;
  throw new Error(
    `As root, the embedded PostgreSQL runs as the user postgres, who cannot pass through ${stdout}. ` +
      `Allow it (chmod o+x '${stdout}'), move the project or the data folder elsewhere, or run as another user.`,
  );
}

/** Every folder above a path, outermost first. */
function ancestors(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [] : [...ancestors(parent), parent];
}

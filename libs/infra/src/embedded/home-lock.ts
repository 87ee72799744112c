import { createHash } from 'node:crypto';
import { mkdir, realpath, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { isErrno } from '../objects/durable-file.js';

export interface HomeLock {
  /** The real path of the locked folder. */
  readonly dir: string;
  release(): Promise<void>;
}

export class HomeInUse extends Error {
  override readonly name = 'HomeInUse';
  /** The locked folder. */
  readonly dir: string;

  constructor(dir: string, holder: string) {
    super(
      `The data folder ${dir} is in use by ${holder}. Stop that one first, or give this one a data folder of its own.`,
    );
    this.dir = dir;
  }
}

/**
 * Makes sure that the data folder exists. Secrets in it are protected by their own modes as well: where we run as
 * root, PostgreSQL does not, and has to pass through the folder to its own.
 */
export async function createHome(dir: string): Promise<string> {
  await mkdir(dir, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
  return realpath(dir);
}

/**
 * Makes this process the only one that uses a data folder. The lock is a listening socket, so the kernel releases
 * it however the process ends. On Linux its name is abstract and therefore leaves no file behind, but is known only
 * within one network namespace: two containers that mount the same folder do not see each other.
 *
 * Fails with `HomeInUse` when another process (or this one) holds it.
 */
export async function lockHome(dir: string): Promise<HomeLock> {
  return lockFolder(await createHome(dir), 'home');
}

/** Locks one aspect of an existing folder; `dir` is a real path. */
export async function lockFolder(dir: string, aspect: string): Promise<HomeLock> {
  const address = lockAddress(dir, aspect);
  let server = await listen(address);
  if (!server && !address.startsWith('\0') && (await holderOf(address)) === 'nobody') {
    // A socket file outlives its process; nobody listens on it, so it is a leftover.
    await rm(address, { force: true });
    server = await listen(address);
  }
  if (!server) throw new HomeInUse(dir, await holderOf(address));
  const held = server;
  return {
    dir,
    release: () =>
      new Promise((resolve, reject) => {
        if (held.listening) held.close((error) => (error ? reject(error) : resolve()));
        else resolve();
      }),
  };
}

function lockAddress(dir: string, aspect: string): string {
  if (process.platform !== 'linux') return join(dir, `${aspect}.lock`);
  const name = createHash('sha256').update(`${aspect}\0${dir}`).digest('hex');
  return `\0waxell-${name}`;
}

/** Null when somebody else listens there. */
function listen(address: string): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    // Whoever asks is told who holds the lock; nothing is read.
    const server = createServer((asker) => {
      asker.on('error', () => asker.destroy());
      asker.end(String(process.pid));
    });
    server.once('error', (error) => (isErrno(error, 'EADDRINUSE') ? resolve(null) : reject(error)));
    server.listen(address, () => {
      server.unref();
      resolve(server);
    });
  });
}

/** Who listens there, in words: the process id it states, or 'nobody'. */
function holderOf(address: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(address);
    let answer = '';
    let refused = false;
    // A suspended process still holds its lock, but does not answer.
    socket.setTimeout(1_000, () => socket.destroy());
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      answer = (answer + text).slice(0, 20);
    });
    socket.on('error', (error) => {
      refused = isErrno(error, 'ECONNREFUSED', 'ENOENT');
    });
    socket.on('close', () => {
      if (/^\d+$/.test(answer)) resolve(`process ${answer}`);
      else resolve(refused ? 'nobody' : 'another process');
    });
  });
}

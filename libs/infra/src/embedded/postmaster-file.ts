import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { isErrno } from '../objects/durable-file.js';

const run = promisify(execFile);

/** Above every possible process id (Linux: at most 2^22). */
const NO_PROCESS = 2_147_483_646;

interface PostmasterFile {
  readonly pid: number;
  readonly port: number | null;
  readonly ready: boolean;
  readonly lines: readonly string[];
}

/** postmaster.pid, as described in PostgreSQL's src/include/utils/pidfile.h; null when there is none. */
export async function readPostmasterFile(data: string): Promise<PostmasterFile | null> {
  let text: string;
  try {
    text = await readFile(join(data, 'postmaster.pid'), 'utf8');
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) return null;
    throw cause;
  }
  const lines = text.split('\n');
  // A single-user server writes its process id negated.
  const pid = Math.abs(Number.parseInt(lines[0] ?? '', 10));
  const port = Number.parseInt(lines[3] ?? '', 10);
  return {
    pid: Number.isSafeInteger(pid) && pid > 1 ? pid : NO_PROCESS,
    port: Number.isSafeInteger(port) ? port : null,
    ready: lines[7]?.trim() === 'ready',
    lines,
  };
}

/**
 * Ends a server that a former process left running on these files, and removes what would keep a new one from
 * starting. The caller holds the folder's lock, so no other live process of ours uses that server.
 */
export async function stopLeftover(data: string, onLog: (line: string) => void): Promise<void> {
  const leftover = await readPostmasterFile(data);
  if (!leftover) return;
  if (await isServerOf(leftover.pid, data)) {
    onLog(`stopping the PostgreSQL that a former process left running (process ${leftover.pid})`);
    for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
      signalProcess(leftover.pid, signal);
      if (await isGone(leftover.pid, data)) return;
    }
    throw new Error(
      `PostgreSQL (process ${leftover.pid}) still uses ${data} and does not stop: end it, then start again.`,
    );
  }
  if (isAlive(leftover.pid)) {
    // The id now belongs to an unrelated program (usual in containers), which PostgreSQL would take for a server.
    // Only the id is replaced: by the rest of the file PostgreSQL recognises backends that survived their server.
    const lines = [String(NO_PROCESS), ...leftover.lines.slice(1)];
    await writeFile(join(data, 'postmaster.pid'), lines.join('\n'), { flag: 'r+' });
    onLog('the process id of a former PostgreSQL now belongs to another program: ignoring it');
  }
}

async function isGone(pid: number, data: string): Promise<boolean> {
  for (let waited = 0; waited < 10_000; waited += 50) {
    if (!(await isServerOf(pid, data))) return true;
    await sleep(50);
  }
  return false;
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (cause) {
    if (!isErrno(cause, 'ESRCH')) throw cause;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return isErrno(cause, 'EPERM');
  }
}

/** Whether the process is a PostgreSQL on these files. Told by its arguments: root in a container may not read its cwd. */
async function isServerOf(pid: number, data: string): Promise<boolean> {
  if (!isAlive(pid)) return false;
  try {
    if (process.platform === 'linux') {
      const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
      return args[0]?.endsWith('/postgres') === true && args.includes(data);
    }
    const { stdout } = await run('ps', ['-ww', '-o', 'command=', '-p', String(pid)]);
    return stdout.includes('/postgres ') && stdout.includes(data);
  } catch {
    // It ended while we looked.
    return false;
  }
}

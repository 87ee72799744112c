import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Another test file may be installing at the same moment: apt refuses the second. */
const ATTEMPTS = 20;

/** Whether a program is there; where we are root on Debian, it is installed if it is not. */
export function haveProgram(program: string, debianPackage: string): Promise<boolean> {
  return havePackages(() => exists(program), [debianPackage]);
}

/** The same of whatever can be looked for. */
export async function havePackages(
  isThere: () => Promise<boolean>,
  debianPackages: readonly string[],
): Promise<boolean> {
  if (await isThere()) return true;
  if (process.getuid?.() !== 0 || !(await exists('apt-get'))) return false;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    try {
      await run('apt-get', ['update', '-qq'], { env });
      await run('apt-get', ['install', '-qq', '--no-install-recommends', ...debianPackages], { env });
      break;
    } catch (error) {
      if (!/could not get lock|unable to (acquire|lock)/i.test((error as { stderr?: string }).stderr ?? ''))
        break;
      await sleep(2_000);
    }
  }
  return isThere();
}

async function exists(program: string): Promise<boolean> {
  try {
    await run('sh', ['-c', 'command -v "$1"', 'sh', program]);
    return true;
  } catch {
    return false;
  }
}

import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { Socket } from 'node:net';
import { POSTGRES_ENVIRONMENT, type PostgresAccount } from './postgres-account.js';

/**
 * Stands between us and the postmaster, in a session of its own: a Ctrl-C in the terminal reaches us alone, and we
 * stop the database once we have drained. It reads a pipe that only we hold. When the pipe closes, because we asked
 * for it or because we died (kill -9 included), it stops the postmaster: SIGINT (fast shutdown), after ten seconds
 * SIGQUIT. Signals sent to it directly, as when a service manager stops a whole group, change nothing: only the pipe
 * counts. The postmaster is its child, so its process id cannot have been given to another process meanwhile.
 *
 * A shell and not Node: it lives as long as the database and costs 1 MB instead of 45.
 */
const SCRIPT = `
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
trap '' HUP INT TERM
{
  while read -r _; do :; done
  waited=0
  while kill -0 "$server"; do
    if [ "$waited" -eq 0 ]; then kill -INT "$server"; fi
    if [ "$waited" -eq 100 ]; then kill -QUIT "$server"; fi
    if [ "$waited" -eq 300 ]; then kill -KILL "$server"; fi
    waited=$((waited + 1))
    sleep 0.1
  done
} <&3 >/dev/null 2>&1 &
stopper=$!
exec 3<&-
wait "$server"
code=$?
kill -KILL "$stopper"
exit "$code"
`;

export interface WatchedServer {
  /** Resolves, in words, once the server is gone; never rejects. */
  readonly exited: Promise<string>;
  isRunning(): boolean;
  /** Asks it to stop; `exited` tells when it has. */
  stop(): void;
}

/** Starts a server program whose output goes to `logFile`, and which does not outlive this process. */
export async function startWatched(
  command: readonly string[],
  account: PostgresAccount,
  logFile: string,
): Promise<WatchedServer> {
  const log = await open(logFile, 'a', 0o600);
  try {
    const shell = spawn('/bin/sh', ['-c', SCRIPT, 'waxell-watchdog', ...command], {
      ...account.ids,
      cwd: '/',
      env: POSTGRES_ENVIRONMENT,
      detached: true,
      stdio: ['pipe', log.fd, log.fd],
    });
    const exited = new Promise<string>((resolve) => {
      shell.once('error', (error) => resolve(error.message));
      shell.once('exit', (code, signal) => resolve(signal ? `signal ${signal}` : `exit code ${code}`));
    });
    let running = true;
    void exited.then(() => {
      running = false;
    });
    const pipe = shell.stdin;
    if (!(pipe instanceof Socket)) throw new Error('The system gave the watchdog no pipe');
    // Once the watchdog is gone there is nothing left to tell it.
    pipe.on('error', () => pipe.destroy());
    // A program that has nothing left to do may end; the database then ends with it.
    shell.unref();
    pipe.unref();
    return {
      exited,
      isRunning: () => running,
      stop: () => {
        shell.ref();
        pipe.destroy();
      },
    };
  } finally {
    await log.close();
  }
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, sep } from 'node:path';
import { agentHostPath, type Sandbox, type SandboxLimits, type SandboxProcess } from '@waxell/runtime';

/** What of a sandbox's stderr is kept for the log. */
const MAX_STDERR_BYTES = 16_384;

export interface ChildProcessSandboxOptions {
  /** The program to run, an ECMAScript module. It may read its own folder. Default: the agent host. */
  readonly program?: string;
  /** Told, when a sandbox has ended, what it last wrote to stderr: untrusted text, at most 16 KiB. */
  readonly onStderr?: (text: string) => void;
}

/**
 * A sandbox for development: a child process under Node's permission model, on any machine and without Docker.
 *
 * It keeps the agent from: the environment (which is empty) and with it every secret of the worker; files outside the
 * program's folder; writing anywhere; starting processes, worker threads, addons, WASI and the inspector; and more heap
 * than its limit.
 *
 * It does NOT keep the agent from: the network; signals to processes of the same user; CPU time; memory outside the
 * JavaScript heap. And the permission model is, in the words of Node's documentation, no protection against malicious
 * code. So it refuses to exist in production, where a container is what isolates.
 */
export class ChildProcessSandbox implements Sandbox {
  private readonly program: string;

  constructor(private readonly options: ChildProcessSandboxOptions = {}) {
    if (process.env['NODE_ENV'] === 'production') {
      throw new Error('ChildProcessSandbox does not isolate the network and is for development only');
    }
    this.program = options.program ?? agentHostPath();
  }

  async launch(limits: SandboxLimits): Promise<SandboxProcess & { readonly pid: number }> {
    const child = spawn(
      process.execPath,
      [
        '--permission',
        `--allow-fs-read=${dirname(this.program)}${sep}`,
        `--max-old-space-size=${Math.max(16, Math.floor(limits.memoryBytes / 1_048_576))}`,
        this.program,
      ],
      {
        env: {},
        cwd: '/',
        stdio: ['pipe', 'pipe', 'pipe'],
        // A session of its own: Ctrl-C in the worker's terminal is for the worker, which then stops its runs in order.
        // When the worker itself is killed, the program sees its input end, and exits.
        detached: true,
      },
    );
    const exited = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    let stderr = Buffer.alloc(0);
    // Read to the end, whatever is kept: a full pipe would block the program.
    child.stderr.on('data', (chunk: Buffer) => {
      stderr = Buffer.concat([stderr, chunk]).subarray(-MAX_STDERR_BYTES);
    });
    child.stderr.on('error', () => {});
    // Rejects if it cannot be started.
    await once(child, 'spawn');
    child.on('error', () => {});
    const { pid } = child;
    if (pid === undefined) throw new Error('the sandbox has no process id');
    child.once('close', () => {
      if (stderr.length > 0) this.options.onStderr?.(stderr.toString('utf8'));
    });
    return {
      pid,
      toSandbox: child.stdin,
      fromSandbox: child.stdout,
      exited,
      kill: () => child.kill('SIGKILL'),
    };
  }
}

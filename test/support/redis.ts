import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { haveProgram } from './debian-package.js';
import { freePort } from './free-port.js';

export interface TestRedis {
  readonly url: string;
  stop(): Promise<void>;
}

/** A Redis of our own on a free port; null where there is none and we may not install it. With files of TLS: by TLS alone. */
export async function startRedis(tls?: Readonly<Record<`tls-${string}`, string>>): Promise<TestRedis | null> {
  if (!(await haveProgram('redis-server', 'redis-server'))) return null;
  const dir = await mkdtemp(join(tmpdir(), 'waxell-redis-'));
  const port = await freePort();
  const ports = tls ? { port: '0', 'tls-port': String(port), ...tls } : { port: String(port) };
  const settings = { bind: '127.0.0.1', ...ports, dir, save: '', appendonly: 'no' };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise<void>((resolve) => server.once('close', () => resolve()));
  // A test run that is killed must not leave it behind.
  const kill = () => server.kill('SIGKILL');
  process.once('exit', kill);
  await new Promise<void>((resolve, reject) => {
    server.stdout.on('data', (text: Buffer) => {
      if (text.includes('Ready to accept connections')) resolve();
    });
    void exited.then(() => reject(new Error('redis-server ended at once')));
  });
  return {
    url: `${tls ? 'rediss://localhost' : 'redis://127.0.0.1'}:${port}`,
    stop: async () => {
      process.off('exit', kill);
      kill();
      await exited;
      await rm(dir, { recursive: true, force: true });
    },
  };
}

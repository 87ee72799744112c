import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readPostmasterFile, stopLeftover } from './postmaster-file.js';

let data: string;
const logged: string[] = [];
const onLog = (line: string) => logged.push(line);

const write = (lines: readonly string[]) => writeFile(join(data, 'postmaster.pid'), lines.join('\n'));

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'waxell-postmaster-'));
  logged.length = 0;
});
afterEach(() => rm(data, { recursive: true, force: true }));

it('reads process id, port and readiness', async () => {
  await write(['4711', data, '1790000000', '5433', '', '127.0.0.1', '  5432001  3', 'ready   ', '']);
  expect(await readPostmasterFile(data)).toMatchObject({ pid: 4711, port: 5433, ready: true });
});

it('is not ready while the server is starting, and there is no file without a server', async () => {
  expect(await readPostmasterFile(data)).toBeNull();
  await write(['4711', data, '1790000000', '5433', '', '127.0.0.1', '', 'starting', '']);
  expect(await readPostmasterFile(data)).toMatchObject({ ready: false });
});

it('reads a file cut short by a full disk as one of no process', async () => {
  await write(['']);
  const read = await readPostmasterFile(data);
  expect(read?.ready).toBe(false);
  expect(() => process.kill(read?.pid ?? process.pid, 0)).toThrow('ESRCH');
});

it('spares an unrelated program to which the process id was given, and keeps the rest of the file', async () => {
  await write([
    String(process.pid),
    data,
    '1790000000',
    '5433',
    '',
    '127.0.0.1',
    '  5432001  3',
    'ready   ',
    '',
  ]);
  await stopLeftover(data, onLog);
  const lines = (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n');
  expect(lines[0]).not.toBe(String(process.pid));
  expect(lines.slice(1, 7)).toEqual([data, '1790000000', '5433', '', '127.0.0.1', '  5432001  3']);
  expect(logged.join()).toContain('another program');
});

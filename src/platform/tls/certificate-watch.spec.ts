import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { place, TestAuthority } from '../../../test/support/certificates.js';
import { CertificateExpiry } from './certificate-expiry.js';
import { CertificateWatch } from './certificate-watch.js';
import { tlsPolicy } from './policy.js';
import { TlsFiles } from './tls-files.js';

const DAY = 86_400_000;
const START = Date.now();

let authority: TestAuthority;
let dir: string;
let now: number;
let lines: string[];
let taken: string[];

beforeAll(async () => {
  authority = await TestAuthority.create();
});
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'waxell-tls-'));
  now = START;
  lines = [];
  taken = [];
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** Issues a certificate that began to be good then and is good until then, in days from now. */
async function issue(name: string, from: number, until: number): Promise<void> {
  const [start, end] = [new Date(START + from * DAY), new Date(START + until * DAY)];
  const { cert, key } = await authority.issue({ commonName: name, usage: 'server', from: start, until: end });
  await place(dir, { 'tls.crt': cert, 'tls.key': key });
}

function expiryOf(): CertificateExpiry {
  const [cert, key] = ['tls.crt', 'tls.key'].map((name) => ({ setting: name, path: join(dir, name) }));
  return new CertificateExpiry([new TlsFiles({ name: 'server', cert, key, policy: tlsPolicy('1.2') })]);
}

function watch(expiry: CertificateExpiry): CertificateWatch {
  const note = (level: string) => (message: unknown) => void lines.push(`${level} ${String(message)}`);
  const log = { log: note('info'), warn: note('warn'), error: note('error') };
  return new CertificateWatch(
    expiry,
    log,
    ({ name }) => taken.push(name),
    () => now,
  );
}

const levels = (): string[] => lines.map((line) => line.split(' ', 1)[0] ?? '');

it('gives the seconds until each certificate expires, counted by the first of its chain', async () => {
  await issue('one', -1, 60);
  const expiry = expiryOf();
  const [server] = expiry.list(START);
  expect(server).toMatchObject({ name: 'server', level: 'fine' });
  expect(Math.abs((server?.secondsLeft ?? 0) - 60 * 86_400)).toBeLessThanOrEqual(1);
  expect(expiry.list(START + 61 * DAY)[0]?.secondsLeft).toBeLessThan(0);
});

it('warns from 30 days before, once a day, and errs from 7 days before', async () => {
  await issue('one', -305, 60);
  const watched = watch(expiryOf());
  for (let hour = 0; hour < 61 * 24; hour += 1) {
    now = START + hour * 3_600_000;
    watched.poll();
  }
  const counts = Map.groupBy(levels(), (level) => level);
  // Days 30 to 53; then days 53 to 60, and one on which it has expired.
  expect({ warn: counts.get('warn')?.length, error: counts.get('error')?.length }).toEqual({
    warn: 23,
    error: 8,
  });
  expect(lines.at(0)).toContain('The certificate of server expires: ');
  expect(lines.at(-1)).toContain('has expired');
});

it.each([
  ['a day', 1, 0.4, 'fine'],
  ['a day', 1, 0.3, 'soon'],
  ['a day', 1, 0.05, 'urgent'],
  ['ninety days', 90, 31, 'fine'],
  ['ninety days', 90, 29, 'soon'],
  ['ninety days', 90, 6, 'urgent'],
])('holds a certificate that lives %s (%d) with %d days left for %s', async (_what, life, left, level) => {
  await issue('one', left - life, left);
  expect(expiryOf().list(START)[0]?.level).toBe(level);
});

it('tells of a new certificate once, when it is taken', async () => {
  await issue('one', -1, 300);
  const watched = watch(expiryOf());
  watched.poll();
  await issue('two', -1, 300);
  watched.poll();
  expect(taken).toEqual([]);
  watched.poll();
  watched.poll();
  expect(taken).toEqual(['server']);
  await issue('three', -1, 300);
  watched.reload();
  expect(taken).toEqual(['server', 'server']);
  expect(levels()).toEqual(['info', 'info']);
});

it('says once why a replacement is not taken, and again when the reason changes', async () => {
  await issue('one', -1, 300);
  const watched = watch(expiryOf());
  await place(dir, { 'tls.key': 'canary' });
  for (let round = 0; round < 5; round += 1) watched.poll();
  await rm(join(dir, 'tls.key'));
  for (let round = 0; round < 5; round += 1) watched.poll();
  expect(lines).toEqual([
    'error The new certificate of server is not taken, the old one stays. tls.key: the file is not a PEM private key without a passphrase.',
    'error The new certificate of server is not taken, the old one stays. tls.key: the file cannot be read (ENOENT).',
  ]);
  expect(taken).toEqual([]);
});

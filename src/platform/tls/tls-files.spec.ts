import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { place, TestAuthority, type KeyPair } from '../../../test/support/certificates.js';
import { tlsPolicy } from './policy.js';
import { TlsFiles } from './tls-files.js';

let authority: TestAuthority;
let [one, two]: KeyPair[] = [];
let dir: string;

beforeAll(async () => {
  authority = await TestAuthority.create();
  one = await authority.issue({ commonName: 'one', usage: 'server' });
  two = await authority.issue({ commonName: 'two', usage: 'server' });
});
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'waxell-tls-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

function pairOf(pair: KeyPair | undefined): { 'tls.crt': string; 'tls.key': string } {
  return { 'tls.crt': pair?.cert ?? '', 'tls.key': pair?.key ?? '' };
}

function open(folder = dir): TlsFiles {
  return new TlsFiles({
    name: 'server',
    cert: { setting: 'TLS_CERT_FILE', path: join(folder, 'tls.crt') },
    key: { setting: 'TLS_KEY_FILE', path: join(folder, 'tls.key') },
    policy: tlsPolicy('1.2'),
  });
}

const subject = (files: TlsFiles): string | undefined => files.chain[0]?.subject;

describe('at the start', () => {
  it.each([
    ['a file that is not there', {}, 'TLS_CERT_FILE: the file cannot be read (ENOENT)'],
    ['no certificate', { 'tls.crt': 'canary' }, 'TLS_CERT_FILE: the file is not a complete list'],
    ['no key', { 'tls.key': 'canary' }, 'TLS_KEY_FILE: the file is not a PEM private key'],
  ])('refuses %s by the name of the setting', async (_what, broken, message) => {
    if (Object.keys(broken).length > 0) await place(dir, { ...pairOf(one), ...broken });
    expect(() => open()).toThrow(message);
    expect(() => open()).not.toThrow(/canary|waxell-tls/);
  });

  it('refuses a key that belongs to another certificate', async () => {
    await place(dir, { ...pairOf(one), 'tls.key': two?.key ?? '' });
    expect(() => open()).toThrow(
      'TLS_CERT_FILE and TLS_KEY_FILE: the key is not that of the first certificate.',
    );
  });

  it('refuses an RSA key below 2048 bits', async () => {
    const short = await authority.issue({
      commonName: 'short',
      usage: 'server',
      kind: 'rsa',
      modulusLength: 1_024,
    });
    await place(dir, pairOf(short));
    expect(() => open()).toThrow('refused by OpenSSL');
  });
});

describe('later', () => {
  it('takes a new pair, at once or when it was seen twice', async () => {
    await place(dir, pairOf(one));
    const files = open();
    await place(dir, pairOf(two));
    files.refreshSettled();
    expect(subject(files)).toBe('CN=one');
    files.refreshSettled();
    expect(subject(files)).toBe('CN=two');
    await place(dir, pairOf(one));
    files.refresh();
    expect({ subject: subject(files), generation: files.generation }).toEqual({
      subject: 'CN=one',
      generation: 3,
    });
  });

  it('waits as long as somebody is still writing', async () => {
    await place(dir, pairOf(one));
    const files = open();
    await place(dir, pairOf(two));
    files.refreshSettled();
    await place(dir, { 'tls.crt': `${two?.cert ?? ''}${authority.ca}` });
    files.refreshSettled();
    expect(subject(files)).toBe('CN=one');
    files.refreshSettled();
    expect(files.chain.map((certificate) => certificate.subject)).toEqual(['CN=two', 'CN=Test authority']);
  });

  it('follows links that are swapped as Kubernetes does it', async () => {
    for (const [folder, pair] of [['first', one] as const, ['second', two] as const])
      await place(join(dir, folder), pairOf(pair));
    await symlink('first', join(dir, 'data'));
    for (const name of ['tls.crt', 'tls.key']) await symlink(`data/${name}`, join(dir, name));
    const files = open();
    await symlink('second', join(dir, 'next'));
    await rename(join(dir, 'next'), join(dir, 'data'));
    files.refresh();
    expect(subject(files)).toBe('CN=two');
  });

  it.each([
    ['half a certificate', (): Record<string, string> => ({ 'tls.crt': (two?.cert ?? '').slice(0, 300) })],
    ['the new certificate with the old key', () => ({ 'tls.crt': two?.cert ?? '' })],
    ['the new key with the old certificate', () => ({ 'tls.key': two?.key ?? '' })],
    ['an empty key', () => ({ 'tls.key': '' })],
  ])('keeps what it has while it finds %s, and says so until the rest comes', async (_what, broken) => {
    await place(dir, pairOf(one));
    const files = open();
    const context = files.context;
    await place(dir, broken());
    files.refresh();
    expect(files.context).toBe(context);
    expect(files.problem).toMatch(/^TLS_(CERT|KEY)_FILE/);
    await place(dir, pairOf(two));
    files.refresh();
    expect({ subject: subject(files), problem: files.problem }).toEqual({
      subject: 'CN=two',
      problem: undefined,
    });
  });

  it('keeps what it has when the files are gone', async () => {
    await place(dir, pairOf(one));
    const files = open();
    await rm(join(dir, 'tls.crt'));
    await mkdir(join(dir, 'tls.crt'));
    files.refresh();
    expect({ subject: subject(files), problem: files.problem }).toEqual({
      subject: 'CN=one',
      problem: 'TLS_CERT_FILE: the file cannot be read (EISDIR).',
    });
  });

  it('keeps a certificate that is good when its replacement has expired', async () => {
    await place(dir, pairOf(one));
    const files = open();
    const [from, until] = [new Date(Date.now() - 7_200_000), new Date(Date.now() - 3_600_000)];
    await place(dir, pairOf(await authority.issue({ commonName: 'late', usage: 'server', from, until })));
    files.refresh();
    expect({ subject: subject(files), problem: files.problem }).toEqual({
      subject: 'CN=one',
      problem: 'TLS_CERT_FILE: the new certificate has expired.',
    });
    await writeFile(join(dir, 'tls.crt'), one?.cert ?? '');
    await writeFile(join(dir, 'tls.key'), one?.key ?? '');
    files.refresh();
    expect(files.problem).toBeUndefined();
  });
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KeysDto } from '../../src/keys/keys.dto.js';
import { must, type Client } from '../support/client.js';
import { withTotp } from '../support/second-factors.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant, type TestTenant } from '../support/tenants.js';
import { codeNow } from '../support/totp.js';

const app = sharedApplication();
const WAX = fileURLToPath(new URL('../../libs/cli/bin/wax.js', import.meta.url));
let neighbour: TestTenant;
let acme: TestTenant;

beforeAll(async () => {
  neighbour = await createTenant(app, { region: 'eu-west-1' });
});
beforeEach(async () => {
  acme = await createTenant(app, { region: 'eu-west-1' });
});

const keysOf = (api: Client): Promise<KeysDto> => must(api.get<KeysDto>('/v1/keys'), 200);

async function wax(
  args: string[],
  env: Record<string, string>,
): Promise<{ code: number; out: string; err: string }> {
  const child = spawn(process.execPath, [WAX, ...args], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (text: Buffer) => (out += text.toString()));
  child.stderr.on('data', (text: Buffer) => (err += text.toString()));
  const [code] = (await once(child, 'close')) as [number];
  return { code, out, err };
}

describe('wax keys', () => {
  it('lists, rotates and schedules as the API does, and takes no password as an argument', async () => {
    const url = ['--url', app.baseUrl];
    const person = [...url, '--organisation', acme.slug, '--email', acme.owner.email];
    const secret = { WAXELL_PASSWORD: acme.owner.password };
    const listed = await wax(['keys', 'list', ...url], { WAXELL_API_KEY: acme.apiKey });
    expect(listed).toMatchObject({ code: 0, out: expect.stringMatching(/field {2}current {2}0 days/) });
    expect(await wax(['keys', 'rotate', ...person], {})).toMatchObject({ code: 2, out: '' });
    expect(await wax(['keys', 'rotate', ...person], { WAXELL_PASSWORD: 'wrong' })).toMatchObject({ code: 2 });
    expect(await wax(['keys', 'rotate', ...person], secret)).toMatchObject({ code: 0, err: '' });
    expect(await wax(['keys', 'rotate-after', '30', ...person], secret)).toMatchObject({ code: 0, err: '' });
    const arn = 'arn:aws:kms:eu-west-1:444455556666:key/1234abcd';
    const attached = await wax(['keys', 'attach', arn, ...person], secret);
    expect(attached).toMatchObject({ code: 2, err: expect.stringContaining('422') });
    expect(await wax(['keys', 'detach', ...person], secret)).toMatchObject({ code: 2 });
    const deletion = ['keys', 'delete', '--wait-days', '7', '--confirm', acme.slug, ...person];
    expect(await wax(deletion, secret)).toMatchObject({ code: 0, err: '' });
    const [warned] = [await wax(['keys', 'list', ...url], { WAXELL_API_KEY: acme.apiKey })];
    expect(warned.out).toContain('TO BE DESTROYED');
    expect(await wax(['keys', 'cancel-deletion', ...person], secret)).toMatchObject({ code: 0, err: '' });
    // Whether it is at its end yet is a matter of time.
    const { rotation, ...keys } = await keysOf(acme.api);
    expect(keys).toMatchObject({ rotateAfterDays: 30 });
    expect(['running', 'done']).toContain(rotation?.status);
    expect(keys).not.toHaveProperty('deletion');
  });

  it('asks who has a second factor for codes, to sign in and again; of the app or recovery codes, never as an argument', async () => {
    const enrolled = await withTotp(app, acme, acme.owner);
    const rotating = ['keys', 'rotate-after', '40', '--url', app.baseUrl];
    rotating.push('--organisation', acme.slug, '--email', acme.owner.email);
    const password = { WAXELL_PASSWORD: acme.owner.password };
    const without = await wax(rotating, password);
    expect(without).toMatchObject({ code: 2, err: expect.stringContaining('WAXELL_SECOND_FACTOR') });
    const [first = '', second = '', third = ''] = enrolled.recoveryCodes;
    const wrong = await wax(rotating, { ...password, WAXELL_SECOND_FACTOR: '000000 000000' });
    expect(wrong).toMatchObject({ code: 2, out: '' });
    const codes = { ...password, WAXELL_SECOND_FACTOR: `${codeNow(enrolled.secret)} ${first}` };
    expect(await wax(rotating, codes)).toMatchObject({ code: 0, err: '' });
    // Each works once.
    expect(await wax(rotating, codes)).toMatchObject({ code: 2 });
    const others = { ...password, WAXELL_SECOND_FACTOR: `${second},${third}` };
    expect(await wax(rotating, others)).toMatchObject({ code: 0, err: '' });
    expect((await keysOf(acme.api)).rotateAfterDays).toBe(40);
    expect((await keysOf(neighbour.api)).rotateAfterDays).toBe(365);
  });
});

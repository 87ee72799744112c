import { Readable } from 'node:stream';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../libs/cli/src/index.js';
import { createDirectory } from '../support/scim.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant } from '../support/tenants.js';

const app = sharedApplication();
let folder: string;
let token: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waxell-token-'));
  token = (await createDirectory(app, await createTenant(app), { kind: 'okta' })).token;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Given = Partial<Pick<Parameters<typeof run>[1], 'env' | 'input'>>;

async function simulate(
  args: readonly string[],
  given: Given = {},
): Promise<{ readonly code: number; readonly errors: string }> {
  let errors = '';
  const surroundings = { env: {}, ...given, out: () => undefined, stream: process.stdout };
  const asked = ['scim', 'simulate', 'okta', '--url', app.baseUrl, '--only', 'pages', ...args];
  const code = await run(asked, surroundings, (text) => (errors += text));
  return { code, errors };
}

function* endless() {
  for (;;) yield 'x'.repeat(1_000);
}

describe('the token of the directory that is simulated', () => {
  it('comes from a file, from standard input or from the environment', async () => {
    const file = join(folder, 'token');
    await writeFile(file, `${token}\n`, { mode: 0o600 });
    expect(await simulate(['--token-file', file])).toEqual({ code: 0, errors: '' });
    const input = Readable.from([token.slice(0, 9), `${token.slice(9)}\n`]);
    expect(await simulate(['--token', '-'], { input })).toEqual({ code: 0, errors: '' });
    expect(await simulate([], { env: { WAXELL_SCIM_TOKEN: token } })).toEqual({ code: 0, errors: '' });
  });

  it('is refused as an argument, with how to say it, and is not said again', async () => {
    const { code, errors } = await simulate(['--token', token], { env: { WAXELL_SCIM_TOKEN: token } });
    expect(code).toBe(2);
    for (const way of ['--token -', '--token-file FILE', 'WAXELL_SCIM_TOKEN', 'revoke'])
      expect(errors).toContain(way);
    expect(errors).not.toContain(token);
  });

  it.each([
    ['nothing', () => Readable.from([])],
    ['two', () => Readable.from(['a b'])],
    ['no end', () => Readable.from(endless())],
  ])('is one: standard input that has %s is refused', async (_what, input) => {
    const { code, errors } = await simulate(['--token', '-'], { input: input() });
    expect(code).toBe(2);
    expect(errors).toContain('one token, and nothing else');
  });

  it('comes from one place', async () => {
    expect(await simulate(['--token', '-', '--token-file', '/dev/null'])).toMatchObject({ code: 2 });
    expect((await simulate([])).errors).toContain('WAXELL_SCIM_TOKEN');
  });
});

import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../libs/cli/src/index.js';
import { throughRelay, type Fault } from '../fakes/erring-relay.js';
import {
  createDirectory,
  group,
  mustScim,
  person,
  type ScimList,
  type TestDirectory,
} from '../support/scim.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
let folder: string;
let acme: TestTenant;
let okta: TestDirectory;
let entra: TestDirectory;
let neighbour: TestDirectory;

interface Ran {
  readonly code: number;
  readonly lines: readonly string[];
  readonly errors: string;
}

interface Recorded {
  readonly step: string;
  readonly method: string;
  readonly path: string;
  readonly sent?: unknown;
  readonly answer: { readonly status: number };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waxell-simulate-'));
  const tenants = await Promise.all([createTenant(app), createTenant(app)]);
  [acme] = tenants;
  okta = await createDirectory(app, acme, { kind: 'okta' });
  entra = await createDirectory(app, acme, { kind: 'entra' });
  neighbour = await createDirectory(app, tenants[1]);
  await mustScim(neighbour.scim.post('/Users', person()), 201);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function wax(args: readonly string[]): Promise<Ran> {
  const lines: string[] = [];
  let errors = '';
  const surroundings = { env: {}, out: (line: string) => void lines.push(line), stream: process.stdout };
  const code = await run(['scim', 'simulate', ...args], surroundings, (text) => (errors += text));
  return { code, lines, errors };
}

async function simulate(
  provider: 'okta' | 'entra',
  args: readonly string[] = [],
  url: string = app.baseUrl,
): Promise<Ran> {
  const file = join(folder, `${provider}.token`);
  await writeFile(file, `${(provider === 'okta' ? okta : entra).token}\n`, { mode: 0o600 });
  return wax([provider, '--url', url, '--token-file', file, ...args]);
}

async function countOf({ scim }: TestDirectory, kind: 'Users' | 'Groups'): Promise<number | undefined> {
  return (await mustScim(scim.get<ScimList>(`/${kind}?count=1`), 200)).totalResults;
}

async function expectNothingLeft(directory: TestDirectory): Promise<void> {
  expect([await countOf(directory, 'Users'), await countOf(directory, 'Groups')]).toEqual([0, 0]);
}

async function recorded(name: string): Promise<Recorded[]> {
  const text = await readFile(join(folder, name), 'utf8');
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Recorded]));
}

describe.each(['okta', 'entra'] as const)('wax scim simulate %s', (provider) => {
  const directory = () => (provider === 'okta' ? okta : entra);

  it('comes out as the provider needs, and leaves nobody and nothing', async () => {
    const file = join(folder, `${provider}.jsonl`);
    const { code, lines } = await simulate(provider, ['--record', file]);
    expect(lines.filter((line) => /DIFFERENT|LEFT BEHIND/.test(line))).toEqual([]);
    expect(code).toBe(0);
    expect(lines.at(-1)).toBe('As these 15 steps need it.');
    await expectNothingLeft(directory());
    expect(await countOf(neighbour, 'Users')).toBe(1);
    const record = await readFile(file, 'utf8');
    for (const said of [lines.join('\n'), record]) expect(said).not.toContain(directory().token);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('sends the same each time, and each step alone', async () => {
    const { lines: listed } = await wax([provider, '--list']);
    expect(listed).toHaveLength(15);
    const args = (name: string) => [
      '--only',
      'group-members',
      '--mark',
      `same${provider}`,
      '--record',
      join(folder, name),
    ];
    for (const round of [1, 2])
      expect(await simulate(provider, args(`${provider}-${round}.jsonl`))).toMatchObject({ code: 0 });
    const [first, second] = [await recorded(`${provider}-1.jsonl`), await recorded(`${provider}-2.jsonl`)];
    expect(first.length).toBeGreaterThan(8);
    const sent = ({ step, method, path, sent, answer: { status } }: Recorded) => ({
      step,
      method,
      path,
      sent,
      status,
    });
    expect(second.map(sent)).toEqual(first.map(sent));
    expect(new Set(first.map(({ step }) => step))).toEqual(new Set(['group-members', 'clean-up']));
    for (const { name } of listed.map((line) => ({ name: line.split(':')[0] ?? '' })))
      expect(await simulate(provider, ['--only', name])).toMatchObject({ code: 0 });
  });
});

it('tells nobody of other people whom the directory provides', async () => {
  const bystander = await mustScim(okta.scim.post('/Users', person()), 201);
  const team = await mustScim(okta.scim.post('/Groups', group({ members: [{ value: bystander.id }] })), 201);
  const file = join(folder, 'pages.jsonl');
  const { code, lines } = await simulate('okta', ['--only', 'pages', '--record', file]);
  expect(code).toBe(0);
  const [{ sent, answer } = { sent: 'nothing recorded', answer: undefined }] = await recorded('pages.jsonl');
  expect(sent).toBeUndefined();
  expect(answer).toMatchObject({ status: 200, body: { totalResults: 1, Resources: [] } });
  for (const said of [await readFile(file, 'utf8'), lines.join('\n')])
    expect(said).not.toContain(bystander['userName']);
  expect(await mustScim(okta.scim.get(`/Groups/${team.id}`), 200)).toMatchObject({
    members: [{ value: bystander.id }],
  });
  await mustScim(okta.scim.delete(`/Groups/${team.id}`), 204);
  await mustScim(okta.scim.delete(`/Users/${bystander.id}`), 204);
});

it('takes up what an interrupted run of the same mark has left', async () => {
  await mustScim(okta.scim.post('/Users', person({ userName: 'wax-ada-halfway@simulated.invalid' })), 201);
  for (const name of ['named', 'renamed'])
    await mustScim(okta.scim.post('/Groups', group({ displayName: `wax ${name} halfway` })), 201);
  expect(await simulate('okta', ['--only', 'rename-group', '--mark', 'halfway'])).toMatchObject({ code: 0 });
  await expectNothingLeft(okta);
});

describe('a server that errs', () => {
  const nothing = { status: 204, body: '' };
  it.each([
    {
      what: 'drops a Remove with a value',
      provider: 'entra',
      fails: 'group-members',
      fault: {
        begins: 'PATCH /Groups/',
        with: '"op":"Remove","path":"members","value"',
        forwards: false,
        answer: nothing,
      },
    },
    {
      what: 'knows no capitals',
      provider: 'entra',
      fails: 'capital-operations',
      fault: { begins: 'PATCH /Users/', with: '"op":"Remove"', forwards: false, answer: nothing },
    },
    {
      what: 'answers 200 without a body',
      provider: 'okta',
      fails: 'patch-deactivation',
      fault: { begins: 'PATCH /Users/', forwards: true, answer: { status: 200, body: '' } },
    },
    {
      what: 'answers 201 without a body',
      provider: 'okta',
      fails: 'create',
      fault: { begins: 'POST /Users', forwards: true, answer: { status: 201, body: '' } },
    },
    {
      what: 'refuses a search without a match',
      provider: 'entra',
      fails: 'no-match',
      fault: { begins: 'GET /Users?filter', forwards: false, answer: { status: 404, body: '{}' } },
    },
    {
      what: 'has errors that are none of SCIM',
      provider: 'okta',
      fails: 'errors',
      fault: {
        begins: 'GET /Users/01890000',
        forwards: false,
        answer: { status: 404, body: '{"detail":"\\u001b[31mno"}' },
      },
    },
    {
      what: 'has a status and a text of its own',
      provider: 'okta',
      fails: 'put-group',
      fault: {
        begins: 'PUT /Groups/',
        forwards: false,
        answer: { status: 500, body: '{"detail":"\\u001b[31mno"}' },
      },
    },
  ] satisfies { what: string; provider: 'okta' | 'entra'; fails: string; fault: Fault }[])(
    'that $what fails $fails',
    async ({ provider, fails, fault }) => {
      const { code, lines } = await throughRelay(app.baseUrl, fault, (url) => simulate(provider, [], url));
      const different = lines.find((line) => line.startsWith('DIFFERENT')) ?? '';
      expect(different).toContain(`DIFFERENT in ${fails}:`);
      expect(different).toMatch(/\n {2}look at {2}\S/);
      // Nothing that a terminal would obey.
      // oxlint-disable-next-line no-control-regex
      expect(lines.join('\n')).not.toMatch(/\u001b/);
      expect(code).toBe(1);
      await expectNothingLeft(provider === 'okta' ? okta : entra);
    },
  );

  it('that does not answer is waited for no longer than was said, and what is left is named', async () => {
    const fault: Fault = { begins: 'DELETE /Users/', forwards: true, answer: undefined };
    const ran = await throughRelay(app.baseUrl, fault, (url) =>
      simulate('okta', ['--only', 'create', '--mark', 'silent', '--timeout', '1'], url),
    );
    expect(ran.code).toBe(1);
    expect(ran.lines.at(-1)).toMatch(/^LEFT BEHIND \/Users\/\S+: /);
  });

  it('that is not there fails the first step', async () => {
    const { code, lines } = await simulate('okta', ['--timeout', '1'], 'http://127.0.0.1:9');
    expect(code).toBe(1);
    expect(lines.at(-1)).toContain('DIFFERENT in pages:');
  });
});

describe('what is asked for wrongly is not begun', () => {
  it.each([
    ['another provider', ['ping', '--list']],
    ['a name of every object', ['constructor', '--list']],
    ['a step that is none', ['okta', '--only', 'nothing', '--list']],
    ['a mark that could end a filter', ['okta', '--mark', 'a" or "b', '--url', 'https://x.invalid']],
    ['no token', ['okta', '--url', 'https://x.invalid']],
    ['a token as an argument', ['okta', '--url', 'https://x.invalid', '--token', 'x']],
    ['a server in the clear', ['okta', '--url', 'http://x.invalid', '--token-file', '/dev/null']],
    ['an empty token', ['okta', '--url', 'https://x.invalid', '--token-file', '/dev/null']],
  ])('%s', async (_what, args) => {
    const { code, errors } = await wax(args);
    expect(code).toBe(2);
    expect(errors).toContain('Usage:');
  });

  it('a record over a file that is there', async () => {
    const { code, lines } = await simulate('okta', ['--record', join(folder, 'okta.token')]);
    expect({ code, lines }).toEqual({ code: 2, lines: [] });
    expect(await readFile(join(folder, 'okta.token'), 'utf8')).toBe(`${okta.token}\n`);
  });
});

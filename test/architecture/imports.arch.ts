import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CONFIG: string = '../../.dependency-cruiser.mjs';
const { default: config } = (await import(CONFIG)) as { default: { forbidden: { name: string }[] } };

interface Cruise {
  readonly summary: {
    readonly totalCruised: number;
    readonly violations: readonly { readonly from: string; readonly rule: { readonly name: string } }[];
  };
}

/** For each rule, files that break it and nothing else that is of interest. */
const PLANTED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'no-circular': {
    'src/agents/planted-a.ts': `import { b } from './planted-b.js'; export const a = () => b;`,
    'src/agents/planted-b.ts': `import { a } from './planted-a.js'; export const b = () => a;`,
  },
  'sdk-imports-nothing-of-ours': { 'libs/sdk/src/planted.ts': `export * from '../../runtime/src/index.js';` },
  'transparency-imports-nothing-of-ours': {
    'libs/transparency/src/planted.ts': `export * from '../../sdk/src/index.js';`,
  },
  'cli-imports-transparency-only': { 'libs/cli/src/planted.ts': `export * from '../../sdk/src/index.js';` },
  'runtime-imports-sdk-only': { 'libs/runtime/src/planted.ts': `export * from '../../infra/src/index.js';` },
  'no-lib-imports-src': { 'libs/infra/src/planted.ts': `export * from '../../../src/start.js';` },
  'infra-by-the-composition-root-only': {
    'src/runs/planted-infra.ts': `export { LocalKms } from '@waxell/infra';`,
  },
  'libs-by-their-public-file-only': {
    'src/runs/planted-inner.ts': `export * from '../../libs/runtime/src/broker.js';`,
  },
  'platform-knows-no-room': { 'src/platform/planted.ts': `export * from '../agents/index.js';` },
  'rooms-by-their-public-file-only': { 'src/runs/planted-room.ts': `export * from '../agents/agents.js';` },
  'writing-transactions-by-the-unit-of-work-only': {
    'src/agents/planted-writes.ts': `export * from '../platform/database/tenant-transactions.js';`,
    'src/agents/planted-registry.ts': `export { RegistryTransactions } from '../platform/database/registry-transactions.js';`,
  },
  'connections-in-platform-database-only': {
    'src/agents/planted-pool.ts': `import pg from 'pg'; export const pool = new pg.Pool();`,
  },
  'what-follows-the-log-is-known-by-nobody': {
    'src/audit/planted-follower.ts': `export * from '../detection/index.js';`,
  },
  'no-undeclared-dependency': { 'src/agents/planted-package.ts': `export * from 'no-such-package';` },
};

let copy: string;

beforeAll(async () => {
  copy = await copyOfTheTree();
  for (const files of Object.values(PLANTED)) {
    for (const [file, content] of Object.entries(files)) await writeFile(join(copy, file), `${content}\n`);
  }
});
afterAll(() => rm(copy, { recursive: true, force: true }));

/** The sources with the packages that they use; everything that rules name by its path is really there, and not a link. */
async function copyOfTheTree(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'waxell-imports-'));
  const skip = (path: string): boolean => !/\/(node_modules|dist)(\/|$)/.test(path.slice(ROOT.length - 1));
  for (const name of [
    'src',
    'libs',
    'package.json',
    'tsconfig.json',
    'tsconfig.base.json',
    '.dependency-cruiser.mjs',
  ])
    await cp(join(ROOT, name), join(root, name), { recursive: true, filter: skip });
  const packages = join(root, 'node_modules');
  await mkdir(join(packages, '@waxell'), { recursive: true });
  for (const name of await readdir(join(ROOT, 'node_modules'))) {
    if (name !== 'pg' && name !== '@waxell')
      await symlink(join(ROOT, 'node_modules', name), join(packages, name));
  }
  await cp(join(ROOT, 'node_modules/pg'), join(packages, 'pg'), { recursive: true });
  for (const lib of await readdir(join(ROOT, 'libs')))
    await symlink(join(root, 'libs', lib), join(packages, '@waxell', lib));
  return root;
}

async function cruise(root: string): Promise<Cruise['summary']> {
  const program = join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');
  const args = [program, 'src', 'libs', '--config', '.dependency-cruiser.mjs', '--output-type', 'json'];
  // It ends with the number of violations; what it found is in its output either way.
  const { stdout } = await run(process.execPath, args, { cwd: root, maxBuffer: 64 * 1_048_576 }).catch(
    (error: { stdout?: string; stderr?: string }) => {
      if (error.stdout === undefined || error.stdout === '') throw new Error(error.stderr);
      return { stdout: error.stdout };
    },
  );
  return (JSON.parse(stdout) as Cruise).summary;
}

describe('the import rules', () => {
  it('hold for the tree, of which every module was read', async () => {
    const { totalCruised, violations } = await cruise(ROOT);
    expect(violations).toEqual([]);
    const sources = await readdir(join(ROOT, 'src'), { recursive: true });
    const modules = sources.filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts')).length;
    expect(modules).toBeGreaterThan(100);
    expect(totalCruised).toBeGreaterThan(modules);
  });

  it('each have a planted violation, which is found where it was planted, under the name of its rule', async () => {
    expect(Object.keys(PLANTED).sort()).toEqual(config.forbidden.map(({ name }) => name).sort());
    const { violations } = await cruise(copy);
    const found = new Set(violations.map(({ from, rule }) => `${rule.name}: ${from}`));
    for (const [rule, files] of Object.entries(PLANTED)) {
      const hits = Object.keys(files).filter((file) => found.has(`${rule}: ${file}`));
      expect({ rule, hits: hits.length }).not.toEqual({ rule, hits: 0 });
    }
    expect(violations.every(({ from }) => dirname(from) !== '' && /planted|dependency/.test(from))).toBe(
      true,
    );
  });
});

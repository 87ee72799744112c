import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { environment } from '../../src/platform/config/index.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string): Promise<string> => readFile(join(root, file), 'utf8');

async function markdownFiles(folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length));
}

describe('the documentation', () => {
  it('names every environment variable, and none that is not read', async () => {
    const table = (await read('docs/operations/running.md')).matchAll(/^\| `([A-Z][A-Z0-9_]+)`/gm);
    expect([...table].map(([, name]) => name)).toEqual(Object.keys(environment.shape));
  });

  it('names every problem code of the API', async () => {
    const sources = await readdir(join(root, 'src'), { recursive: true });
    const codes = new Set<string>();
    for (const file of sources.filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'))) {
      const source = await read(join('src', file));
      for (const [, code] of source.matchAll(/readonly code = '([A-Z_]+)'/g)) codes.add(code ?? '');
    }
    const documented = await read('docs/api.md');
    expect([...codes].filter((code) => !documented.includes(`\`${code}\``))).toEqual([]);
  });

  it('has no link to a file that does not exist', async () => {
    const top = ['README.md', 'SECURITY.md', 'CONTRIBUTING.md'];
    const files = [...top, ...(await markdownFiles('docs')), ...(await markdownFiles('src'))];
    const broken: string[] = [];
    for (const file of files) {
      const text = await read(file);
      for (const [, target = ''] of text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
        if (/^https?:/.test(target)) continue;
        const path = join(root, dirname(file), target);
        const found = await readFile(path).catch(async () => readdir(path).catch(() => undefined));
        if (found === undefined) broken.push(`${file}: ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });

  it("names in each room's README only files of that room", async () => {
    const missing: string[] = [];
    for (const file of await markdownFiles('src')) {
      const own = new Set(await readdir(join(root, dirname(file))));
      for (const [, name = ''] of (await read(file)).matchAll(/`([a-z-]+(?:\.[a-z]+)*\.ts)`/g)) {
        if (!own.has(name)) missing.push(`${file}: ${name}`);
      }
    }
    expect(missing).toEqual([]);
  });

  it('names only tests that exist', async () => {
    const claims = await read('docs/security-claims.md');
    const named = [...claims.matchAll(/`((?:src|libs|test|bench)\/[^`]+\.ts)`/g)].map(
      ([, file]) => file ?? '',
    );
    expect(named.length).toBeGreaterThan(10);
    for (const file of new Set(named)) await expect(read(file)).resolves.toContain('import');
  });
});

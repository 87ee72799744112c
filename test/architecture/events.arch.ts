import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { AUDIT_ACTIONS, catalogued } from '../../src/platform/events/index.js';
import { declaredRoutes } from '../../src/platform/http/annotated-routes.js';
import { UNAUDITED } from '../../src/platform/http/endpoint.js';
import { previewedApplication } from '../support/previewed-application.js';

const SRC = fileURLToPath(new URL('../../src/', import.meta.url));

/** Every text of the form of an action in the code, where something other than a route records an event. */
async function namedInCode(): Promise<Set<string>> {
  const files = (await readdir(SRC, { recursive: true })).filter(
    (file) => file.endsWith('.ts') && !file.endsWith('.spec.ts') && !file.startsWith('platform/events/'),
  );
  const named = new Set<string>();
  for (const file of files)
    for (const [, text = ''] of (await readFile(join(SRC, file), 'utf8')).matchAll(/'([a-z_]+\.[a-z_]+)'/g))
      named.add(text);
  return named;
}

it('of every audited route is in the catalogue', async () => {
  const routes = declaredRoutes(await previewedApplication());
  const audits = routes.flatMap(({ options: { audit } }) => (audit === UNAUDITED ? [] : [audit]));
  expect(audits.length).toBeGreaterThan(40);
  expect(audits.filter((action) => !catalogued(action))).toEqual([]);
});

it('in the catalogue are all recorded by something', async () => {
  const named = await namedInCode();
  expect(AUDIT_ACTIONS.length).toBeGreaterThan(50);
  expect(AUDIT_ACTIONS.filter((action) => !named.has(action))).toEqual([]);
});

it('have a name of the form noun.verb, and a sentence', () => {
  for (const action of AUDIT_ACTIONS) {
    expect(action).toMatch(/^[a-z_]+\.[a-z_]+$/);
    expect(catalogued(action)?.means).toMatch(/^[A-Z].{10,}\.$/);
  }
});

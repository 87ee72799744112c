import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { CLIENT_REFUSALS } from '../../src/oauth/oauth.errors.js';

it('docs/operations/clients.md says of every refused client what the code says', async () => {
  const page = await readFile(new URL('../../docs/operations/clients.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `([A-Z_]+)` +\| (.*?) +\|$/gm)].map(([, reason, means]) => [
    reason,
    means,
  ]);
  expect(Object.fromEntries(rows)).toEqual(CLIENT_REFUSALS);
});

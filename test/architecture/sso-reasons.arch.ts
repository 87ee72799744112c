import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { REFUSALS } from '../../src/federation/federation.errors.js';
import { SAML_REFUSALS } from '../../src/federation/saml/saml-refusals.js';

it('docs/sso/reasons.md says of every refused sign-in what the code says', async () => {
  const page = await readFile(new URL('../../docs/sso/reasons.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `([A-Z_]+)` +\| (.*?) +\|$/gm)].map(([, reason, means]) => [
    reason,
    means,
  ]);
  expect(Object.fromEntries(rows)).toEqual({ ...REFUSALS, ...SAML_REFUSALS });
});

import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { environment, readEnvironment } from '../../src/platform/config/environment.js';

const EXAMPLE = new URL('../../.env.example', import.meta.url);

/** Every variable of the file, with the comment above it and the value shown. */
async function variables(): Promise<Map<string, { comment: string; value: string }>> {
  const found = new Map<string, { comment: string; value: string }>();
  let comment = '';
  for (const line of (await readFile(EXAMPLE, 'utf8')).split('\n')) {
    const [, name, value = ''] = /^#?\s?([A-Z][A-Z0-9_]*)=(.*)$/.exec(line) ?? [];
    if (name !== undefined) found.set(name, { comment, value });
    comment = line.startsWith('# ') ? line.slice(2) : '';
  }
  return found;
}

it('.env.example names every variable that is read, and no other', async () => {
  expect([...(await variables()).keys()]).toEqual(Object.keys(environment.shape));
});

it('.env.example says of each what the schema says', async () => {
  const shown = await variables();
  for (const [name, schema] of Object.entries(environment.shape))
    expect({ name, comment: shown.get(name)?.comment }).toEqual({ name, comment: schema.description });
});

it('.env.example shows the defaults, and values that would be accepted', async () => {
  const defaults: Record<string, unknown> = readEnvironment({});
  const differing: string[] = [];
  for (const [name, { value }] of await variables()) {
    // Throws for a value that the program would refuse.
    const read: Record<string, unknown> = readEnvironment({ [name]: value });
    const isDefault = read[name] === defaults[name];
    if (defaults[name] !== undefined && !['MORE_REGIONS', 'MORE_POOLERS'].includes(name) && !isDefault)
      differing.push(name);
  }
  expect(differing).toEqual([]);
});

it('.env.example changes nothing as it is: every line of it is a comment', async () => {
  const lines = (await readFile(EXAMPLE, 'utf8')).split('\n').filter((line) => line !== '');
  expect(lines.every((line) => line.startsWith('#'))).toBe(true);
});

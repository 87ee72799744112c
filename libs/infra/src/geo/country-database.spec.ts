import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { countryDatabase } from '../../../../test/fakes/mmdb.js';
import { CountryDatabase } from './country-database.js';

let folder: string;
let file: string;
const open: CountryDatabase[] = [];
const errors: Error[] = [];
const PATIENTLY = { timeout: 20_000 };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waxell-geo-'));
  file = join(folder, 'countries.mmdb');
  errors.length = 0;
});
afterEach(async () => {
  for (const database of open.splice(0)) database.close();
  await rm(folder, { recursive: true });
});

async function opened(): Promise<CountryDatabase> {
  const database = await CountryDatabase.open({
    file,
    onError: (error) => errors.push(error),
    lookAgainMs: 5,
  });
  open.push(database);
  return database;
}

async function replace(content: Buffer): Promise<void> {
  await writeFile(`${file}.new`, content);
  await rename(`${file}.new`, file);
}

it('tells the country of IPv4 and IPv6 addresses, and of no others', async () => {
  await replace(countryDatabase({ '203.0.113.0/24': 'DE', '198.51.100.7/32': 'FR', '2001:db8::/32': 'JP' }));
  const database = await opened();
  const countryOf = (address: string) => database.countryOf(address);
  expect(['203.0.113.1', '203.0.113.255', '198.51.100.7', '2001:db8:1::1'].map(countryOf)).toEqual([
    'DE',
    'DE',
    'FR',
    'JP',
  ]);
  const outside = ['203.0.114.1', '198.51.100.8', '2001:db9::1', '127.0.0.1', '::1', 'no address', ''];
  expect(outside.map(countryOf)).toEqual(outside.map(() => undefined));
});

it(
  'reads the file again when it is replaced, and keeps the one it has when the new one is damaged',
  { timeout: 60_000 },
  async () => {
    await replace(countryDatabase({ '203.0.113.0/24': 'DE' }));
    const database = await opened();
    await replace(countryDatabase({ '203.0.113.0/24': 'FR' }));
    await vi.waitFor(() => expect(database.countryOf('203.0.113.1')).toBe('FR'), PATIENTLY);
    await replace(Buffer.from('no database'));
    await vi.waitFor(
      () => expect(errors.map(({ name }) => name)).toEqual(['CountryDatabaseUnfit']),
      PATIENTLY,
    );
    expect(database.countryOf('203.0.113.1')).toBe('FR');
    await replace(countryDatabase({ '203.0.113.0/24': 'JP' }));
    await vi.waitFor(() => expect(database.countryOf('203.0.113.1')).toBe('JP'), PATIENTLY);
    expect(errors).toHaveLength(1);
  },
);

it('refuses a file that is missing, damaged, or says nothing of countries', async () => {
  await expect(opened()).rejects.toThrow(/countries\.mmdb is missing, damaged, or/);
  await replace(countryDatabase({ '203.0.113.0/24': 'DE' }).subarray(0, 100));
  await expect(opened()).rejects.toThrow(/countries\.mmdb is missing, damaged, or/);
  await replace(countryDatabase({ '203.0.113.0/24': 'DE' }, 'GeoLite2-ASN'));
  await expect(opened()).rejects.toThrow('(GeoLite2-ASN) does not say which country');
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LimitsConfig } from '../platform/config/index.js';
import type { NetworkRules } from '../platform/http/tenant-rules.js';
import { CallerCountry, type CountryLookup } from './caller-country.js';
import { COUNTRIES } from './countries.js';
import { letsIn, NetworkAdmission } from './network-admission.js';

const rate = { perSecond: 1, burst: 1 };
const config = (header?: string) =>
  new LimitsConfig({ ip: rate, tenant: rate, signIn: rate, tenantSignIn: rate }, header);
const file: CountryLookup = { countryOf: (address) => ({ '203.0.113.7': 'DE', '192.0.2.1': 'ZZ' })[address] };

describe('network rules', () => {
  it('let a known country in exactly where they name it and allow, or do not name it and deny', () => {
    const modes = fc.constantFrom('allow' as const, 'deny' as const);
    fc.assert(
      fc.property(
        fc.record<NetworkRules>({
          mode: modes,
          countries: fc.uniqueArray(fc.constantFrom(...COUNTRIES), { maxLength: 20 }),
          unknown: modes,
        }),
        fc.constantFrom(...COUNTRIES),
        (rules, country) => {
          const named = rules.countries.includes(country);
          expect(letsIn(rules, country)).toBe(rules.mode === 'allow' ? named : !named);
          expect(letsIn(rules, undefined)).toBe(rules.unknown === 'allow');
        },
      ),
    );
  });

  it('are asked of a tenant that has some, and of no other', () => {
    const admission = new NetworkAdmission(new CallerCountry(config(), null));
    const rules = { mode: 'deny', countries: ['FR'], unknown: 'deny' } as const;
    expect(() => admission.require({}, { ip: '203.0.113.7' })).not.toThrow();
    expect(() => admission.require({ networkRules: rules }, { ip: '203.0.113.7' })).toThrow('your country');
  });
});

describe("a caller's country", () => {
  it('is what the file says of the address, where that is a country', () => {
    const country = new CallerCountry(config(), file);
    expect(country.known).toBe(true);
    expect(['203.0.113.7', '::ffff:203.0.113.7', '192.0.2.1', '::1'].map((ip) => country.of({ ip }))).toEqual(
      ['DE', 'DE', undefined, undefined],
    );
  });

  it('is what the edge says, where one is believed, and then nothing else', () => {
    const country = new CallerCountry(config('cf-ipcountry'), null);
    expect(country.known).toBe(true);
    const said = ['FR', 'fr', 'XX', 'T1', '', 'DE, FR'].map((edgeCountry) =>
      country.of({ ip: '203.0.113.7', edgeCountry }),
    );
    expect(said).toEqual(['FR', 'FR', undefined, undefined, undefined, undefined]);
  });

  it('is not known where there is neither', () => {
    const country = new CallerCountry(config(), null);
    expect([country.known, country.of({ ip: '203.0.113.7' })]).toEqual([false, undefined]);
  });
});

it('the countries are the 249 of ISO 3166-1, and Kosovo, each once', () => {
  expect(new Set(COUNTRIES).size).toBe(250);
  expect(COUNTRIES).toHaveLength(250);
  // The platform knows a name for each of them.
  const names = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'none' });
  expect(COUNTRIES.filter((code) => names.of(code) === undefined)).toEqual([]);
});

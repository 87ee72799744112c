import { describe, expect, it } from 'vitest';
import { refuseBeyond, type Limits } from './own-ceiling.js';

const NONE: Limits = { allowedNetworks: null, projects: null, expiresAt: null, requestsPerMinute: null };
const [ONE, OTHER] = ['01890000-0000-7000-8000-000000000001', '01890000-0000-7000-8000-000000000002'];
const [SOON, LATER] = [new Date(1_000), new Date(2_000)];

describe('what a key or client makes or rotates', () => {
  it.each<[string, Partial<Limits>, Partial<Limits>]>([
    ['projects that it is not for', { projects: [ONE] }, { projects: [ONE, OTHER] }],
    ['every project', { projects: [ONE, OTHER] }, { projects: null }],
    ['other networks', { allowedNetworks: ['10.0.0.0/8'] }, { allowedNetworks: ['0.0.0.0/0'] }],
    ['every network', { allowedNetworks: ['10.0.0.0/8'] }, { allowedNetworks: null }],
    ['a longer life', { expiresAt: SOON }, { expiresAt: LATER }],
    ['a life without an end', { expiresAt: SOON }, { expiresAt: null }],
    ['more requests', { requestsPerMinute: 10 }, { requestsPerMinute: 11 }],
    ['requests without a limit', { requestsPerMinute: 10 }, { requestsPerMinute: null }],
    ['longer tokens', { accessTokenMinutes: 30 }, { accessTokenMinutes: 60 }],
    ['unbound tokens', { dpopBound: true }, { dpopBound: false }],
  ])('is refused %s', (_what, own, asked) => {
    expect(() => refuseBeyond({ ...NONE, ...own }, { ...NONE, ...asked })).toThrow(
      expect.objectContaining({ code: 'GRANT_EXCEEDS_OWN' }),
    );
    // Whoever has no limits is refused none of it.
    expect(() => refuseBeyond(NONE, { ...NONE, ...asked })).not.toThrow();
  });

  it('may be limited as its maker is, or more', () => {
    const own = { ...NONE, projects: [ONE, OTHER], expiresAt: LATER, requestsPerMinute: 10 };
    expect(() => refuseBeyond(own, own)).not.toThrow();
    const less = { ...own, projects: [OTHER], expiresAt: SOON, requestsPerMinute: 1 };
    expect(() => refuseBeyond(own, less)).not.toThrow();
  });
});

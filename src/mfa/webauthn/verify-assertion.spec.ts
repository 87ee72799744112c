import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { AttestationMaker } from '../../../test/support/attestation-maker.js';
import { Authenticator, type Algorithm } from '../../../test/support/authenticator.js';
import { AuthConfig } from '../../platform/config/index.js';
import type { Factor } from '../factors.js';
import { FactorRefused } from '../mfa.errors.js';
import { leadsTo } from './attestation-chain.js';
import { RelyingParty } from './relying-party.js';
import { shownAssertion } from './shown-credential.js';
import { verifyAssertion } from './verify-assertion.js';
import { verifyRegistration } from './verify-registration.js';

const party = new RelyingParty(new AuthConfig('https://waxell.example', undefined));
const CHALLENGE = 'c29tZXRoaW5nIHRvIHNpZ24';
const rules = {
  requiredOf: 'admins',
  requiredSince: null,
  graceDays: 14,
  trustedDeviceDays: 30,
  attestation: 'none',
  attestationRoots: [],
  allowedAaguids: [],
} as const;

interface Shown {
  readonly id: string;
  readonly response: Record<'clientDataJSON' | 'authenticatorData' | 'signature', string>;
}

async function registered(algorithm: Algorithm): Promise<{ factor: Factor; shown: Shown }> {
  const key = new Authenticator(party.origin, { algorithm });
  const options = { challenge: CHALLENGE, rp: { id: party.id }, user: { id: 'AAAA' } };
  const body = await key.create(options);
  const { credential, counter } = await verifyRegistration(body, { party, challenge: CHALLENGE, rules });
  const factor: Factor = {
    id: 'x',
    userId: 'x',
    type: 'webauthn',
    counter,
    createdAt: new Date(),
    lastUsedAt: null,
    details: { name: 'x', credential },
  };
  return { factor, shown: key.get({ challenge: CHALLENGE, rpId: party.id }) as Shown };
}

const verify = (shown: object, factor: Factor) =>
  verifyAssertion(shownAssertion(shown), factor, {
    party,
    challenge: CHALLENGE,
    userVerification: 'required',
  });

describe('what a security key has signed', () => {
  it.each(['ES256', 'EdDSA'] as const)(
    'counts as it is (%s), and not with one bit that is another',
    async (algorithm) => {
      const { factor, shown } = await registered(algorithm);
      expect(await verify(shown, factor)).toEqual({ counter: 2, userVerified: true });
      // ECDSA's signatures come in an envelope of ASN.1, of which not every bit says something.
      const signature = algorithm === 'EdDSA' ? (['signature'] as const) : [];
      const parts = ['clientDataJSON', 'authenticatorData', ...signature] as const;
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...parts), fc.nat(), async (part, at) => {
          const bytes = Buffer.from(shown.response[part], 'base64url');
          const bit = at % (bytes.length * 8);
          bytes.writeUInt8((bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7)), bit >> 3);
          const changed = { ...shown, response: { ...shown.response, [part]: bytes.toString('base64url') } };
          await expect(verify(changed, factor)).rejects.toBeInstanceOf(FactorRefused);
        }),
        { numRuns: 300 },
      );
    },
  );

  it('is refused in whatever other form it comes', async () => {
    const { factor } = await registered('ES256');
    await fc.assert(
      fc.asyncProperty(fc.object({ key: fc.constantFrom('id', 'type', 'response', 'x') }), async (shown) => {
        await expect((async () => verify(shown, factor))()).rejects.toBeInstanceOf(FactorRefused);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a maker’s signature', () => {
  let maker: AttestationMaker;
  let chain: Buffer[];
  const now = new Date();

  beforeAll(async () => {
    maker = await AttestationMaker.create();
    ({ chain } = await maker.issue('ee882879-721c-4913-9775-3dfcce97072a'));
  });

  it('leads to the root that is believed, and to no other', async () => {
    const other = await AttestationMaker.create();
    expect(leadsTo([other.root, maker.root], chain, now)).toBe(true);
    expect(leadsTo([other.root], chain, now)).toBe(false);
    expect(leadsTo([], chain, now)).toBe(false);
  });

  it('leads nowhere with a part that is missing, too much, out of order, expired, or none', () => {
    const [own = Buffer.alloc(0), intermediate = Buffer.alloc(0)] = chain;
    expect(leadsTo([maker.root], [own], now)).toBe(false);
    expect(leadsTo([maker.root], [own, own, intermediate], now)).toBe(false);
    expect(leadsTo([maker.root], [], now)).toBe(false);
    expect(leadsTo([maker.root], [Buffer.from('x')], now)).toBe(false);
    expect(
      leadsTo(
        [maker.root],
        Array.from({ length: 7 }, () => own),
        now,
      ),
    ).toBe(false);
    for (const days of [-3, 3]) {
      const then = new Date(now.getTime() + days * 86_400_000);
      expect(leadsTo([maker.root], chain, then)).toBe(false);
    }
  });
});

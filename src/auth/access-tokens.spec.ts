import {
  base64url,
  CompactSign,
  createLocalJWKSet,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  importJWK,
  type CompactJWSHeaderParameters,
  type CryptoKey,
  type JWK,
} from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { AuthConfig } from '../platform/config/index.js';
import type { TenantId } from '../platform/database/index.js';
import { AccessTokens } from './access-tokens.js';
import type { SigningKeys } from './signing-keys.js';

const KID = 'ours';
const HEADER = { alg: 'RS256', typ: 'at+jwt', kid: KID };
const REFUSED = { code: 'INVALID_CREDENTIAL' };
let privateKey: CryptoKey;
let publicKey: CryptoKey;
let ours: AccessTokens;

/** Tokens as they are verified where these are our public keys. */
function tokensOf(keys: JWK[]): AccessTokens {
  const signing = {
    current: () => Promise.resolve({ kid: KID, privateKey }),
    verifier: () => Promise.resolve(createLocalJWKSet({ keys })),
  } as unknown as SigningKeys;
  return new AccessTokens(signing, new AuthConfig('https://waxell.example', undefined));
}

beforeAll(async () => {
  ({ privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true }));
  ours = tokensOf([{ ...(await exportJWK(publicKey)), kid: KID, alg: 'RS256', use: 'sig' }]);
});

const now = (): number => Math.floor(Date.now() / 1_000);
const claims = (altered: object = {}): Uint8Array =>
  new TextEncoder().encode(
    JSON.stringify({
      iss: 'https://waxell.example',
      aud: 'waxell-api',
      sub: 'somebody',
      tenant: 't_0123456789abcdef',
      sid: 'a session',
      epoch: 0,
      iat: now(),
      exp: now() + 60,
      ...altered,
    }),
  );

function signed(header: CompactJWSHeaderParameters, payload = claims(), key = privateKey): Promise<string> {
  return new CompactSign(payload).setProtectedHeader(header).sign(key);
}

describe('an access token', () => {
  it('of our own is accepted, with what it claims', async () => {
    const tenant = 't_0123456789abcdef' as TenantId;
    const issued = await ours.issue({ tenant, userId: 'somebody', sessionId: 'a session', epoch: 3 });
    expect(await ours.verify(issued)).toMatchObject({ tenant, userId: 'somebody', epoch: 3 });
    expect(await ours.verify(await signed(HEADER))).toMatchObject({ tenant, epoch: 0 });
  });

  it.each(['RS384', 'RS512', 'PS256', 'PS384', 'PS512'])(
    'signed with our key by %s is refused',
    async (alg) => {
      const key = (await importJWK({ ...(await exportJWK(privateKey)), alg }, alg)) as CryptoKey;
      const forged = await signed({ ...HEADER, alg }, claims(), key);
      // By what our keys say they are for, and by what we take at all.
      const unsaid = tokensOf([{ ...(await exportJWK(publicKey)), kid: KID }]);
      for (const tokens of [ours, unsaid]) await expect(tokens.verify(forged)).rejects.toMatchObject(REFUSED);
    },
  );

  it.each(['HS256', 'HS384', 'HS512'])(
    'with a %s that is keyed with our public key is refused',
    async (alg) => {
      for (const secret of [await exportSPKI(publicKey), JSON.stringify(await exportJWK(publicKey))]) {
        const key = new TextEncoder().encode(secret.padEnd(64, ' '));
        const forged = new CompactSign(claims()).setProtectedHeader({ ...HEADER, alg }).sign(key);
        await expect(ours.verify(await forged)).rejects.toMatchObject(REFUSED);
      }
    },
  );

  it.each(['none', 'None', 'NONE', 'nOnE', '', 'rs256'])(
    'whose algorithm is said to be "%s" is refused',
    async (alg) => {
      const [, payload = '', signature = ''] = (await signed(HEADER)).split('.');
      const header = base64url.encode(JSON.stringify({ ...HEADER, alg }));
      for (const end of ['', signature])
        await expect(ours.verify(`${header}.${payload}.${end}`)).rejects.toMatchObject(REFUSED);
    },
  );

  it.each([
    ['jwk', async () => exportJWK((await generateKeyPair('RS256')).publicKey)],
    ['jku', () => Promise.resolve('http://127.0.0.1:1/jwks.json')],
    ['x5u', () => Promise.resolve('http://127.0.0.1:1/chain.pem')],
    ['x5c', () => Promise.resolve(['MIIB'])],
    ['kid', () => Promise.resolve('../../dev/null')],
    ['kid', () => Promise.resolve("' UNION SELECT 'secret")],
  ])("signed by another's key with a %s in its header is refused", async (name, value) => {
    const mine = (await generateKeyPair('RS256')).privateKey;
    const header = { ...HEADER, [name]: await value() } as CompactJWSHeaderParameters;
    await expect(ours.verify(await signed(header, claims(), mine))).rejects.toMatchObject(REFUSED);
  });

  it.each([
    ['another type', { typ: 'JWT' }, {}],
    ['no type', { typ: undefined }, {}],
    ['an extension that it calls critical', { crit: ['exp'], exp: 1 }, {}],
    ['another issuer', {}, { iss: 'https://evil.example' }],
    ['another audience', {}, { aud: 'another-api' }],
    ['an end in the past', {}, { exp: 1 }],
    ['no end', {}, { exp: undefined }],
    ['a beginning in the future', {}, { nbf: 4_000_000_000 }],
    ['an epoch that is no number', {}, { epoch: '0' }],
    ['no session', {}, { sid: undefined }],
  ])('with %s is refused', async (_what, header, altered) => {
    const forge = (): Promise<string> => signed({ ...HEADER, ...header }, claims(altered));
    // Some of them not even the library signs.
    await expect((async () => ours.verify(await forge()))()).rejects.toBeInstanceOf(Error);
  });
});

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLocalJWKSet, type JWK } from 'jose';
import { describe, expect, it } from 'vitest';
import { AccessTokens, CALLERS_ALGORITHMS } from '../auth/index.js';
import type { SigningKeys } from '../auth/signing-keys.js';
import { AuthConfig } from '../platform/config/index.js';
import { CheckAssertion } from './check-assertion.js';
import type { ClientEntity } from './client.entity.js';
import { publicKeysOf } from './public-keys.js';

interface VectorFile {
  readonly testGroups: readonly {
    readonly public?: JWK & { readonly keys?: JWK[] };
    readonly private?: JWK & { readonly keys?: JWK[] };
    readonly tests: readonly { readonly jws?: string; readonly result: string; readonly comment: string }[];
  }[];
}

interface Vector {
  readonly keys: readonly JWK[];
  readonly jws: string;
  /** What its header says; undefined where that cannot be read. */
  readonly alg: string | undefined;
  readonly valid: boolean;
  readonly comment: string;
}

const FOLDER = join(process.env['WAXELL_DATA'] ?? '../shared/data', 'wycheproof');
const FILES = ['json_web_signature_test.json', 'json_web_crypto_test.json', 'json_web_key_test.json'];
const found = FILES.every((name) => existsSync(join(FOLDER, name)));
if (!found)
  process.stderr.write(`SKIPPED: no Wycheproof vectors in ${FOLDER}; set WAXELL_DATA to the folder above.\n`);

const VECTORS: readonly Vector[] = (found ? FILES : []).flatMap((name) => {
  const file = JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as VectorFile;
  return file.testGroups.flatMap((group) => {
    const key = group.public ?? group.private;
    const keys = key?.keys ?? (key ? [key] : []);
    return group.tests.flatMap(({ jws, result, comment }) =>
      jws === undefined ? [] : [{ keys, jws, alg: algorithmOf(jws), valid: result === 'valid', comment }],
    );
  });
});

function algorithmOf(jws: string): string | undefined {
  try {
    const header = Buffer.from(jws.split('.')[0] ?? '', 'base64url').toString();
    return (JSON.parse(header) as { alg?: string }).alg;
  } catch {
    return undefined;
  }
}

/**
 * How far one got. The signature is looked at before what it signs: a vector whose signature is taken is refused for its
 * payload, which is never a claim, and by the library's own name for that.
 */
async function outcomeOf(verified: Promise<unknown>): Promise<'signature taken' | 'refused'> {
  try {
    await verified;
  } catch (error) {
    const { cause = error } = error as Error;
    return String((cause as { code?: unknown }).code).startsWith('ERR_JWT_') ? 'signature taken' : 'refused';
  }
  throw new Error('No vector is a token of ours.');
}

const config = new AuthConfig('https://waxell.example', undefined);

async function asAccessToken({ keys, jws }: Vector): Promise<string> {
  const verifier = () => Promise.resolve(createLocalJWKSet({ keys: [...keys] }));
  return outcomeOf(new AccessTokens({ verifier } as unknown as SigningKeys, config).verify(jws));
}

/** With its keys given as those of a client are given. */
async function asAssertion({ keys, jws }: Vector): Promise<string> {
  const check = async (): Promise<unknown> => {
    const client = { publicKeys: await publicKeysOf(keys) } as ClientEntity;
    return new CheckAssertion(config).execute(client, 'a client', jws);
  };
  return outcomeOf(check());
}

describe.skipIf(!found)('the vectors of Wycheproof for JSON web signatures', () => {
  it('are taken as access tokens where they are valid and RS256, and no other is', async () => {
    expect(VECTORS.length).toBeGreaterThan(400);
    const differing: Vector[] = [];
    let taken = 0;
    for (const vector of VECTORS) {
      const outcome = await asAccessToken(vector);
      if (outcome === 'signature taken') taken += 1;
      const expected = vector.valid && vector.alg === 'RS256' ? 'signature taken' : 'refused';
      if (outcome !== expected) differing.push(vector);
    }
    // The weakness of a key is nothing that a token shows: ours are made here, with 2,048 bits and the exponent 65537.
    const weak = new Set(['rejectsKeyWithRocaVulnerability', 'rejectsPublicExponent1']);
    expect(differing.filter(({ comment, valid }) => valid || !weak.has(comment))).toEqual([]);
    expect(differing).toHaveLength(3);
    expect(taken - differing.length).toBe(10);
  });

  it('are taken as assertions of clients where they are valid and of what callers may sign with, and no other is', async () => {
    const outcomes = { taken: 0, refused: 0, saysOtherwise: 0 };
    for (const vector of VECTORS) {
      const { alg = '', keys, comment } = vector;
      const outcome = await asAssertion(vector);
      // A key that says it is for another algorithm, as four of the vectors do, is for no other here.
      const saysOtherwise = keys.some((key) => key.alg !== undefined && key.alg !== alg);
      const expected = vector.valid && CALLERS_ALGORITHMS.includes(alg) && !saysOtherwise;
      expect({ comment, alg, outcome }).toEqual({
        comment,
        alg,
        outcome: expected ? 'signature taken' : 'refused',
      });
      if (expected) outcomes.taken += 1;
      else if (vector.valid && CALLERS_ALGORITHMS.includes(alg)) outcomes.saysOtherwise += 1;
      else outcomes.refused += 1;
    }
    expect(outcomes.taken).toBeGreaterThanOrEqual(25);
    expect(outcomes.saysOtherwise).toBe(4);
    expect(outcomes.refused).toBeGreaterThan(300);
  });
});

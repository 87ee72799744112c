import { beforeAll, describe, expect, it } from 'vitest';
import {
  encode,
  responseOf,
  SamlIdp,
  type ResponseParts,
  type SignOptions,
} from '../../../test/fakes/saml-idp.js';
import { assertionOf, EVIL, only, reshaped, rootOf, WRAPPINGS } from '../../../test/fakes/saml-wrapping.js';
import { mutated, random } from '../../../test/fakes/saml-mutations.js';
import { difference, sameness, type Sameness } from '../../../test/fakes/saml-sameness.js';
import { checkResponse, type CheckedAssertion, type Expected } from './check-response.js';
import { newOwnKeys } from './own-keys.js';
import { SAML_REFUSALS, SamlRefused, type SamlRefusal } from './saml-refusals.js';

const ACS = 'https://waxell.example/v1/sso/t/c/acs';
const ENTITY = 'https://waxell.example/v1/sso/t/c/metadata';
const REQUEST = '_request';
const RIGHT: ResponseParts = {
  acsUrl: ACS,
  audience: ENTITY,
  requestId: REQUEST,
  attributes: { email: ['ann@acme.example'], groups: ['a', 'b'] },
};
const BOTH: SignOptions = { response: true, assertion: true };
const DSIG = 'http://www.w3.org/2000/09/xmldsig#';

let idp: SamlIdp;
let other: SamlIdp;
let own: { privateKey: string; certificate: string };

beforeAll(async () => {
  [idp, other, own] = await Promise.all([SamlIdp.create(), SamlIdp.create(), newOwnKeys('waxell')]);
});

function check(xml: string, expected: Partial<Expected> = {}): Promise<CheckedAssertion> {
  return checkResponse(encode(xml), {
    keys: { certificates: [idp.certificate], privateKey: own.privateKey },
    issuer: idp.entityId,
    acsUrl: ACS,
    audience: ENTITY,
    requestId: REQUEST,
    now: new Date(),
    ...expected,
  });
}

/** Why it is refused; `accepted` where it is not. */
async function refusalOf(message: Promise<unknown>): Promise<SamlRefusal | 'accepted'> {
  try {
    await message;
    return 'accepted';
  } catch (error) {
    if (error instanceof SamlRefused) return error.refusal;
    throw error;
  }
}

describe('a response that is right', () => {
  it.each<[string, SignOptions]>([
    ['with its assertion signed', { assertion: true }],
    ['signed as a whole', { response: true, assertion: false }],
    ['with both signed', BOTH],
  ])('%s is read', async (_name, sign) => {
    const { nameId, attributes, sessionIndex } = await check(idp.signed(RIGHT, sign));
    expect({ nameId, attributes: { ...attributes }, sessionIndex }).toEqual({
      nameId: 'ann',
      attributes: { email: ['ann@acme.example'], groups: ['a', 'b'] },
      sessionIndex: 'session-1',
    });
  });

  it('with an encrypted assertion is read', async () => {
    const gcm = await idp.encrypted(idp.signed(RIGHT), own.certificate);
    expect((await check(gcm)).nameId).toBe('ann');
    const cbc = { data: 'http://www.w3.org/2001/04/xmlenc#aes256-cbc' };
    const signedAround = idp.sign(await idp.encrypted(idp.signed(RIGHT), own.certificate, cbc), 'Response');
    expect((await check(signedAround)).nameId).toBe('ann');
  });

  it('signed by any of several certificates is read, while one is replaced by another', async () => {
    const keys = { certificates: [other.certificate, idp.certificate], privateKey: own.privateKey };
    expect((await check(idp.signed(RIGHT), { keys })).nameId).toBe('ann');
  });

  it('that nobody asked for is read where the connection takes such', async () => {
    const unasked = idp.signed({ ...RIGHT, requestId: undefined });
    expect((await check(unasked, { requestId: undefined })).nameId).toBe('ann');
  });

  it('says until when it could be shown again, and until when its session lasts', async () => {
    const before = Date.now();
    const { until, sessionUntil } = await check(idp.signed({ ...RIGHT, sessionUntil: 3_600 }));
    expect(until.getTime() - before).toBeGreaterThan(355_000);
    expect(until.getTime() - before).toBeLessThan(365_000);
    expect(sessionUntil?.getTime()).toBeGreaterThan(before + 3_590_000);
  });
});

describe('what is not meant for us, now, for this sign-in is refused', () => {
  it.each<[SamlRefusal, string, Partial<ResponseParts>]>([
    ['SAML_DESTINATION', 'another Destination', { destination: 'https://evil.example/acs' }],
    ['SAML_DESTINATION', 'no Destination', { destination: null }],
    ['SAML_RECIPIENT', 'another Recipient', { recipient: 'https://evil.example/acs' }],
    ['SAML_AUDIENCE', 'another Audience', { audience: 'https://evil.example' }],
    ['SAML_AUDIENCE', 'no AudienceRestriction', { withoutAudience: true }],
    [
      'SAML_ISSUER',
      'another Issuer of the assertion',
      { issuer: 'https://evil.example', responseIssuer: 'https://idp.acme.example/saml' },
    ],
    ['SAML_ISSUER', 'another Issuer of the response', { responseIssuer: 'https://evil.example' }],
    ['SAML_IN_RESPONSE_TO', 'an answer to another request', { requestId: '_another' }],
    ['SAML_IN_RESPONSE_TO', 'an answer to no request', { requestId: undefined }],
    ['SAML_IN_RESPONSE_TO', 'another request in the confirmation', { subjectInResponseTo: '_another' }],
    [
      'SAML_IN_RESPONSE_TO',
      'another request in the response alone',
      { requestId: '_another', subjectInResponseTo: REQUEST },
    ],
    ['SAML_IN_RESPONSE_TO', 'no request in the confirmation', { subjectInResponseTo: null }],
    ['SAML_EXPIRED', 'an assertion of an hour ago', { from: -7_200, until: -3_600 }],
    ['SAML_EXPIRED', 'an assertion of 61 seconds ago', { from: -300, until: -61 }],
    ['SAML_NOT_YET_VALID', 'an assertion of the future', { from: 120, until: 600 }],
    ['SAML_LIFETIME', 'an assertion that is good for two days', { until: 172_800 }],
    ['SAML_LIFETIME', 'an assertion that does not end', { until: null }],
    ['SAML_SESSION_OVER', 'a session that is over', { sessionUntil: -120 }],
    [
      'SAML_SUBJECT',
      'another confirmation than bearer',
      { confirmationMethod: 'urn:oasis:names:tc:SAML:2.0:cm:sender-vouches' },
    ],
    ['SAML_SUBJECT', 'no name', { nameId: '' }],
    [
      'SAML_SUBJECT',
      'a name with an element in it',
      { nameId: 'ann<saml:b xmlns:saml="urn:x"/>@acme.example' },
    ],
    ['SAML_NO_AUTHENTICATION', 'nobody authenticated', { withoutAuthentication: true }],
    ['SAML_STATUS', 'a failure', { status: 'urn:oasis:names:tc:SAML:2.0:status:Responder' }],
  ])('%s: %s', async (reason, _name, parts) => {
    for (const sign of [{}, BOTH])
      expect(await refusalOf(check(idp.signed({ ...RIGHT, ...parts }, sign)))).toBe(reason);
  });

  it('and what is meant for us within a minute of skew is not', async () => {
    expect((await check(idp.signed({ ...RIGHT, from: 50, until: 300 }))).nameId).toBe('ann');
    expect((await check(idp.signed({ ...RIGHT, from: -300, until: -50 }))).nameId).toBe('ann');
  });

  it('SAML_IN_RESPONSE_TO: an answer to a request, where the sign-in began at the provider', async () => {
    expect(await refusalOf(check(idp.signed(RIGHT), { requestId: undefined }))).toBe('SAML_IN_RESPONSE_TO');
  });
});

describe('signature wrapping is refused', () => {
  it.each(Object.keys(WRAPPINGS))('%s', async (name) => {
    const shape = WRAPPINGS[name];
    if (!shape) throw new Error(name);
    for (const sign of [BOTH, { response: true, assertion: false }, { assertion: true }] as SignOptions[]) {
      const needs = /XSW[12]/.test(name)
        ? sign.response
        : sign.assertion !== false || name.includes('XSW3') || name.includes('XSW7');
      if (!needs) continue;
      const wrapped = reshaped(idp.signed(RIGHT, sign), shape);
      expect(wrapped).toContain(EVIL);
      expect(await refusalOf(check(wrapped))).toBe('SAML_ASSERTION_COUNT');
    }
  });

  it('also where the other assertion is called something else, so that there is one to be found', async () => {
    const xml = idp.signed(RIGHT, { response: true, assertion: false });
    const hidden = reshaped(xml, (document) => {
      const root = rootOf(document);
      const signature = only(root, DSIG, 'Signature');
      const copy = root.cloneNode(true) as typeof root;
      root.setAttribute('ID', '_evil');
      only(root, 'urn:oasis:names:tc:SAML:2.0:assertion', 'NameID').textContent = EVIL;
      for (const node of Array.from(copy.getElementsByTagName('saml:Assertion')))
        node.parentNode?.removeChild(node);
      signature.appendChild(copy);
    });
    expect(await refusalOf(check(hidden))).toBe('SAML_SIGNATURE_PLACE');
  });

  it('and an assertion in another namespace, or deeper than its place', async () => {
    const xml = idp.signed(RIGHT);
    const moved = reshaped(xml, (document) => {
      const box = document.createElementNS('urn:x', 'x:box');
      rootOf(document).appendChild(box);
      box.appendChild(assertionOf(document));
    });
    expect(await refusalOf(check(moved))).toBe('SAML_ASSERTION_COUNT');
    const renamed = xml.replaceAll('urn:oasis:names:tc:SAML:2.0:assertion"', 'urn:x"');
    expect(await refusalOf(check(renamed))).toBe('SAML_ASSERTION_COUNT');
  });

  it('and two elements of one ID, in whatever case the attribute is written', async () => {
    const xml = idp.signed(RIGHT, { assertion: true });
    const id = /<saml:Assertion[^>]* ID="([^"]+)"/.exec(xml)?.[1] ?? '';
    for (const name of ['ID', 'Id', 'id', 'xml:id'])
      expect(
        await refusalOf(check(xml.replace('<samlp:StatusCode ', `<samlp:StatusCode ${name}="${id}" `))),
      ).toBe('SAML_DUPLICATE_ID');
  });
});

describe('what is not signed, or not by the provider, or by what is not believed any more, is refused', () => {
  it.each<[SamlRefusal, string, () => string]>([
    ['SAML_SIGNATURE_MISSING', 'no signature', () => responseOf(RIGHT)],
    ['SAML_SIGNATURE_INVALID', 'a signature of another provider', () => other.signed(RIGHT)],
    [
      'SAML_SIGNATURE_INVALID',
      'another name after signing',
      () => idp.signed(RIGHT, BOTH).replace('>ann<', '>owner<'),
    ],
    [
      'SAML_SIGNATURE_INVALID',
      'another attribute after signing',
      () => idp.signed(RIGHT).replace('ann@acme.example', 'owner@acme.example'),
    ],
    [
      'SAML_SIGNATURE_INVALID',
      'an audience that was added after signing',
      () =>
        idp
          .signed({ ...RIGHT, audience: 'x' })
          .replace('<saml:Audience>x', `<saml:Audience>${ENTITY}</saml:Audience><saml:Audience>x`),
    ],
    [
      'SAML_SIGNATURE_INVALID',
      'a signed assertion in a response whose own signature is wrong',
      () =>
        idp
          .signed(RIGHT, BOTH)
          .replace('Version="2.0" IssueInstant', 'Version="2.0" Consent="x" IssueInstant'),
    ],
    ['SAML_SIGNATURE_ALGORITHM', 'RSA with SHA-1', () => idp.signed(RIGHT, { signature: `${DSIG}rsa-sha1` })],
    ['SAML_SIGNATURE_ALGORITHM', 'a digest by SHA-1', () => idp.signed(RIGHT, { digest: `${DSIG}sha1` })],
    [
      'SAML_SIGNATURE_ALGORITHM',
      'HMAC, keyed with the certificate that everybody has',
      () => idp.signed(RIGHT, { signature: `${DSIG}hmac-sha1`, key: idp.certificate }),
    ],
    [
      'SAML_SIGNATURE_ALGORITHM',
      'a canonicalisation that keeps comments',
      () => idp.signed(RIGHT, { canonicalization: 'http://www.w3.org/2001/10/xml-exc-c14n#WithComments' }),
    ],
    [
      'SAML_SIGNATURE_ALGORITHM',
      'a transform by XPath',
      () =>
        idp
          .signed(RIGHT)
          .replace(
            'http://www.w3.org/2000/09/xmldsig#enveloped-signature',
            'http://www.w3.org/TR/1999/REC-xpath-19991116',
          ),
    ],
    [
      'SAML_SIGNATURE_ALGORITHM',
      'an unknown algorithm',
      () => idp.signed(RIGHT).replace('xmldsig-more#rsa-sha256', 'xmldsig-more#rsa-md5'),
    ],
    [
      'SAML_SIGNATURE_PLACE',
      'a reference to everything',
      () => idp.signed(RIGHT).replace(/<Reference URI="[^"]+"/, '<Reference URI=""'),
    ],
    [
      'SAML_SIGNATURE_PLACE',
      'a reference to something else',
      () => idp.signed(RIGHT).replace(/<Reference URI="[^"]+"/, '<Reference URI="#_other"'),
    ],
    [
      'SAML_SIGNATURE_PLACE',
      'an object in the signature',
      () => idp.signed(RIGHT).replace('</Signature>', '<Object/></Signature>'),
    ],
  ])('%s: %s', async (reason, _name, make) => {
    expect(await refusalOf(check(make()))).toBe(reason);
  });

  it('SAML_SIGNATURE_PLACE: a signature that stands in the subject, or twice', async () => {
    const xml = idp.signed(RIGHT);
    const inSubject = reshaped(xml, (document) => {
      const signature = only(document, DSIG, 'Signature');
      only(document, 'urn:oasis:names:tc:SAML:2.0:assertion', 'Subject').appendChild(signature);
    });
    const twice = reshaped(xml, (document) => {
      const signature = only(document, DSIG, 'Signature');
      signature.parentNode?.appendChild(signature.cloneNode(true));
    });
    expect([await refusalOf(check(inSubject)), await refusalOf(check(twice))]).toEqual([
      'SAML_SIGNATURE_PLACE',
      'SAML_SIGNATURE_PLACE',
    ]);
  });

  it('SAML_ENCRYPTION: ciphers and paddings that tell what they hide, or another recipient', async () => {
    const signed = idp.signed(RIGHT);
    const cbc = await idp.encrypted(signed, own.certificate, {
      data: 'http://www.w3.org/2001/04/xmlenc#aes256-cbc',
    });
    const pkcs = await idp.encrypted(signed, own.certificate, {
      key: 'http://www.w3.org/2001/04/xmlenc#rsa-1_5',
    });
    const des = await idp.encrypted(signed, own.certificate, {
      data: 'http://www.w3.org/2001/04/xmlenc#tripledes-cbc',
    });
    const another = await idp.encrypted(signed, other.certificate);
    for (const xml of [cbc, pkcs, des, another]) expect(await refusalOf(check(xml))).toBe('SAML_ENCRYPTION');
  });

  it('SAML_SIGNATURE_INVALID, SAML_SIGNATURE_ALGORITHM: an encrypted assertion is as good as its signature', async () => {
    const unsigned = await idp.encrypted(responseOf(RIGHT), own.certificate);
    expect(await refusalOf(check(unsigned))).toBe('SAML_SIGNATURE_INVALID');
    const sha1 = await idp.encrypted(idp.signed(RIGHT, { signature: `${DSIG}rsa-sha1` }), own.certificate);
    expect(await refusalOf(check(sha1))).toBe('SAML_SIGNATURE_ALGORITHM');
  });
});

describe('what could be read in two ways is refused', () => {
  it.each<[SamlRefusal, string, (xml: string) => string]>([
    ['SAML_COMMENT', 'a comment in the name', (xml) => xml.replace('>ann<', '>ann<!-- -->.evil<')],
    ['SAML_COMMENT', 'a comment anywhere', (xml) => `${xml}<!-- x -->`],
    ['SAML_CDATA', 'CDATA in the name', (xml) => xml.replace('>ann<', '><![CDATA[ann]]><')],
    [
      'SAML_DOCTYPE',
      'an external entity (XXE)',
      (xml) => `<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>${xml.replace('>ann<', '>&x;<')}`,
    ],
    [
      'SAML_DOCTYPE',
      'entities of entities',
      (xml) => `<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>${xml}`,
    ],
    ['SAML_DOCTYPE', 'a document type alone, in small letters', (xml) => `<!doctype html>${xml}`],
    ['SAML_ENTITY', 'an entity that nobody has declared', (xml) => xml.replace('>ann<', '>&nbsp;ann<')],
    [
      'SAML_PROCESSING_INSTRUCTION',
      'a processing instruction',
      (xml) => xml.replace('>ann<', '>an<?x y?>n<'),
    ],
    [
      'SAML_PROCESSING_INSTRUCTION',
      'a style sheet',
      (xml) => `<?xml version="1.0"?><?xml-stylesheet href="x"?>${xml}`,
    ],
    [
      'SAML_PROCESSING_INSTRUCTION',
      'another encoding',
      (xml) => `<?xml version="1.0" encoding="UTF-7"?>${xml}`,
    ],
    ['SAML_MALFORMED', 'two roots', (xml) => `${xml}${xml}`],
    ['SAML_MALFORMED', 'text beside the root', (xml) => `${xml}x`],
    [
      'SAML_MALFORMED',
      'an attribute twice',
      (xml) => xml.replace('<saml:Assertion ', '<saml:Assertion Version="2.0" '),
    ],
    [
      'SAML_MALFORMED',
      'a prefix that nobody has declared',
      (xml) => xml.replace('<saml:Subject>', '<saml:Subject><y:z/>'),
    ],
    ['SAML_MALFORMED', 'an end that is missing', (xml) => xml.slice(0, -10)],
    ['SAML_MALFORMED', 'another message', (xml) => xml.replaceAll('samlp:Response', 'samlp:LogoutResponse')],
    ['SAML_MALFORMED', 'a control character', (xml) => xml.replace('>ann<', '>an\u0001n<')],
    ['SAML_TOO_LARGE', 'more than 256 KiB', (xml) => xml.replace('>ann<', `>${'a'.repeat(262_144)}<`)],
  ])('%s: %s', async (reason, _name, change) => {
    for (const sign of [{}, BOTH])
      expect(await refusalOf(check(change(idp.signed(RIGHT, sign))))).toBe(reason);
  });

  it('SAML_ENCODING: what is not base64 of UTF-8, or not there', async () => {
    const right = encode(idp.signed(RIGHT));
    const bad = [
      undefined,
      '',
      'x',
      `${right}=`,
      `${right.slice(0, -8)}!!!!`,
      Buffer.from([0xff, 0xfe, 0x3c]).toString('base64'),
      ['a', 'b'],
      {},
    ];
    for (const message of bad)
      expect(
        await refusalOf(
          checkResponse(message, {
            keys: { certificates: [idp.certificate], privateKey: own.privateKey },
            issuer: idp.entityId,
            acsUrl: ACS,
            audience: ENTITY,
            requestId: REQUEST,
            now: new Date(),
          }),
        ),
      ).toBe('SAML_ENCODING');
  });
});

const MUTATIONS = Number(process.env['WAXELL_SAML_MUTATIONS'] ?? 2_000);
const SEED = Number(process.env['WAXELL_SAML_SEED'] ?? Date.now() % 1_000_000);

it(
  `of ${MUTATIONS} changes to a response that is right, none is accepted but what is the same message (seed ${SEED})`,
  { timeout: 3_600_000 },
  async () => {
    const next = random(SEED);
    const originals = [
      idp.signed(RIGHT, BOTH),
      idp.signed(RIGHT),
      idp.signed(RIGHT, { response: true, assertion: false }),
    ];
    const honest = await Promise.all(originals.map((xml) => check(xml)));
    const refused = new Map<string, number>();
    const same: Record<Sameness, number> = { written: 0, spaced: 0, hinted: 0, alone: 0, envelope: 0 };
    const accepted: object[] = [];
    for (let at = 0; at < MUTATIONS; at += 1) {
      const which = at % originals.length;
      const [original = '', xml] = [originals[which], mutated(originals[which] ?? '', next)];
      try {
        const read = await check(xml);
        const how = sameness(original, xml);
        if (how) same[how] += 1;
        else accepted.push({ seed: SEED, at, ...difference(original, xml) });
        expect({ seed: SEED, at, read }).toEqual({ seed: SEED, at, read: honest[which] });
      } catch (error) {
        if (!(error instanceof SamlRefused)) throw error;
        refused.set(error.refusal, (refused.get(error.refusal) ?? 0) + 1);
      }
    }
    const counted = [...refused.values()].reduce((sum, count) => sum + count, 0);
    process.stdout.write(`${MUTATIONS} changes: ${counted} refused, the same ${JSON.stringify(same)}\n`);
    expect(accepted).toEqual([]);
    expect(Object.values(same).reduce((sum, count) => sum + count, counted)).toBe(MUTATIONS);
    // A change that is refused for nothing but one reason would say that the others are not looked at.
    expect(refused.size).toBeGreaterThan(6);
    expect([...refused.keys()].every((reason) => reason in SAML_REFUSALS)).toBe(true);
  },
);

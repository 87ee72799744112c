import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { encode, SamlIdp, type ResponseParts, type SignOptions } from '../../../test/fakes/saml-idp.js';
import { reshaped } from '../../../test/fakes/saml-wrapping.js';
import { checkResponse } from './check-response.js';
import { newOwnKeys } from './own-keys.js';
import { SamlRefused } from './saml-refusals.js';

const ACS = 'https://waxell.example/v1/sso/t/c/acs';
const ENTITY = 'https://waxell.example/v1/sso/t/c/metadata';
const RIGHT: ResponseParts = { acsUrl: ACS, audience: ENTITY, requestId: '_request' };
/** One signature in each: a second around it would have signed what the first does not. */
const SIGNED: readonly SignOptions[] = [{}, { response: true, assertion: false }];
const DSIG = 'http://www.w3.org/2000/09/xmldsig#';

let idp: SamlIdp;
let other: SamlIdp;
let privateKey: string;

beforeAll(async () => {
  [idp, other, { privateKey }] = await Promise.all([
    SamlIdp.create(),
    SamlIdp.create(),
    newOwnKeys('waxell'),
  ]);
});

/** `accepted`, or why not. */
async function outcome(xml: string): Promise<string> {
  try {
    await checkResponse(encode(xml), {
      keys: { certificates: [idp.certificate], privateKey },
      issuer: idp.entityId,
      acsUrl: ACS,
      audience: ENTITY,
      requestId: '_request',
      now: new Date(),
    });
    return 'accepted';
  } catch (error) {
    if (error instanceof SamlRefused) return error.refusal;
    throw error;
  }
}

const certificate = ({ certificate: pem }: SamlIdp): string =>
  new X509Certificate(pem).raw.toString('base64');
const wrapped = (text: string): string => `\n${text.replaceAll(/.{64}/g, '$&\n')}\n`;
/** With another KeyInfo in each signature. */
const withKeyInfo = (content: string, sign: SignOptions = {}): string =>
  idp.signed(RIGHT, sign).replaceAll(/<KeyInfo>.*?<\/KeyInfo>/g, content);

function keyValue({ certificate: pem }: SamlIdp): string {
  const { n = '', e = '' } = new X509Certificate(pem).publicKey.export({ format: 'jwk' });
  const [modulus, exponent] = [n, e].map((one) => Buffer.from(one, 'base64url').toString('base64'));
  return `<KeyValue><RSAKeyValue><Modulus>${modulus}</Modulus><Exponent>${exponent}</Exponent></RSAKeyValue></KeyValue>`;
}

const x509 = (text: string): string => `<X509Data><X509Certificate>${text}</X509Certificate></X509Data>`;

describe('what a signature carries beside what it signs', () => {
  it('is taken as providers write it: a certificate in lines or not, a bare key, a name, or nothing', async () => {
    for (const content of [
      '',
      `<KeyInfo>${x509(certificate(idp))}</KeyInfo>`,
      `<KeyInfo>\n${x509(wrapped(certificate(idp)))}\n</KeyInfo>`,
      `<KeyInfo>${keyValue(idp)}</KeyInfo>`,
      `<KeyInfo><KeyName>realm key</KeyName>${x509(certificate(idp))}${keyValue(idp)}</KeyInfo>`,
    ])
      for (const sign of SIGNED)
        expect({ content, is: await outcome(withKeyInfo(content, sign)) }).toEqual({
          content,
          is: 'accepted',
        });
  });

  it('is refused where it is another key, or anything that no provider puts there', async () => {
    const own = certificate(idp);
    for (const content of [
      `<KeyInfo>${x509(certificate(other))}</KeyInfo>`,
      `<KeyInfo>${keyValue(other)}</KeyInfo>`,
      `<KeyInfo>${x509(own)}${x509(certificate(other))}</KeyInfo>`,
      `<KeyInfo>${x509(`${own.slice(0, -4)}AAAA`)}</KeyInfo>`,
      `<KeyInfo>${x509(`${own}====`)}</KeyInfo>`,
      `<KeyInfo>${x509(`${own}<X509Certificate/>`)}</KeyInfo>`,
      `<KeyInfo><X509Data/></KeyInfo>`,
      `<KeyInfo/>`,
      `<KeyInfo>evil${x509(own)}</KeyInfo>`,
      `<KeyInfo evil="x">${x509(own)}</KeyInfo>`,
      `<KeyInfo xmlns:e="urn:evil">${x509(own)}</KeyInfo>`,
      `<KeyInfo><e:Key xmlns:e="urn:evil"/></KeyInfo>`,
      `<KeyInfo>${x509(own)}</KeyInfo><KeyInfo>${x509(own)}</KeyInfo>`,
      `evil<KeyInfo>${x509(own)}</KeyInfo>`,
    ])
      for (const sign of SIGNED)
        expect({ content, is: await outcome(withKeyInfo(content, sign)) }).toEqual({
          content,
          is: 'SAML_KEY_INFO',
        });
  });

  it('is its value in the one way that its bytes are written, and after the issuer', async () => {
    const xml = idp.signed(RIGHT);
    // The last characters before padding have bits that stand for nothing.
    const sloppy = xml.replace(
      /([A-Za-z0-9+/])(={1,2})<\/SignatureValue>/,
      (_all, last: string, pad: string) => {
        const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
        return `${alphabet[alphabet.indexOf(last) + 1]}${pad}</SignatureValue>`;
      },
    );
    const unpadded = xml.replace('</SignatureValue>', '=</SignatureValue>');
    for (const changed of [sloppy, unpadded].filter((one) => one !== xml))
      expect(['SAML_KEY_INFO', 'SAML_SIGNATURE_INVALID']).toContain(await outcome(changed));
    const moved = reshaped(xml, (document) => {
      const [signature] = Array.from(document.getElementsByTagNameNS(DSIG, 'Signature'));
      if (signature) signature.parentNode?.appendChild(signature);
    });
    expect(await outcome(moved)).toBe('SAML_SIGNATURE_PLACE');
  });
});

describe('what stands around an assertion that alone is signed', () => {
  const around = (from: string | RegExp, to: string): string => idp.signed(RIGHT).replace(from, to);
  const CONSENT = 'Consent="urn:oasis:names:tc:SAML:2.0:consent:unspecified"';
  const FORMAT = 'Format="urn:oasis:names:tc:SAML:2.0:nameid-format:entity"';

  it('is taken as providers send it', async () => {
    for (const xml of [
      around('<samlp:Response ', `<samlp:Response ${CONSENT} xmlns:xs="http://www.w3.org/2001/XMLSchema" `),
      around('<saml:Issuer>', `<saml:Issuer ${FORMAT}>`),
      around('<samlp:Status>', '\n  <samlp:Status>\n'),
      around('</samlp:Status>', '<samlp:StatusMessage>Success</samlp:StatusMessage></samlp:Status>'),
    ])
      expect(await outcome(xml)).toBe('accepted');
  });

  it('is refused where it is anything else', async () => {
    for (const xml of [
      around('<samlp:Status>', '<samlp:Extensions/><samlp:Status>'),
      around('<samlp:Status>', '<e:Evil xmlns:e="urn:evil"/><samlp:Status>'),
      around('<samlp:Status>', 'evil<samlp:Status>'),
      around('<samlp:Response ', '<samlp:Response evil="x" '),
      around('<samlp:Response ', '<samlp:Response xmlns:e="urn:evil" '),
      around('<samlp:Response ', '<samlp:Response Consent="evil" '),
      around(/IssueInstant="[^"]+"/, 'IssueInstant="evil"'),
      around(/<saml:Issuer>[^<]+<\/saml:Issuer>/, ''),
      around('<saml:Issuer>', '<saml:Issuer Format="evil">'),
      around('</samlp:Status>', '<samlp:StatusDetail/></samlp:Status>'),
      around('"/></samlp:Status>', '"><samlp:StatusCode Value="evil"/></samlp:StatusCode></samlp:Status>'),
      around('</samlp:Response>', '<e:Evil xmlns:e="urn:evil"/></samlp:Response>'),
    ])
      expect({ xml, is: await outcome(xml) }).toEqual({ xml, is: 'SAML_ENVELOPE' });
  });
});

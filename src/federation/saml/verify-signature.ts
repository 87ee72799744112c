import { SAML, type Profile, type SamlConfig } from '@node-saml/node-saml';
import { SamlRefused } from './saml-refusals.js';

/** What signatures are checked with, and what assertions are decrypted with. */
export interface SamlKeys {
  /** PEM; any of them may have signed. */
  readonly certificates: readonly string[];
  /** PEM of our own. */
  readonly privateKey: string;
}

/**
 * node-saml, of which we use what it does best: it checks the signature, decrypts, and hands over the very bytes that
 * were signed, canonicalised. What they say is for us to judge (`check-response.ts`); its own opinion of conditions and
 * attributes is not asked for.
 */
class SignedBytes extends SAML {
  protected override processValidlySignedAssertionAsync(xml: string) {
    const profile = { getAssertionXml: () => xml } as unknown as Profile;
    return Promise.resolve({ profile, loggedOut: false });
  }

  protected override processValidlySignedPostRequestAsync() {
    return Promise.resolve({ profile: {} as Profile, loggedOut: false });
  }
}

/** The bytes of the assertion as they were signed, alone or in their response. @throws {SamlRefused} */
export async function signedAssertion(
  encoded: string,
  keys: SamlKeys,
  responseMustBeSigned: boolean,
): Promise<string> {
  const { profile } = await verifier(keys, responseMustBeSigned)
    .validatePostResponseAsync({ SAMLResponse: encoded })
    .catch((cause: unknown) => {
      const message = cause instanceof Error ? cause.message : '';
      const signature =
        /signature/i.test(message) || !/encrypt|decrypt/i.test(String((cause as Error).stack));
      throw new SamlRefused(signature ? 'SAML_SIGNATURE_INVALID' : 'SAML_ENCRYPTION', { cause });
    });
  const xml = profile?.getAssertionXml?.();
  if (xml === undefined) throw new SamlRefused('SAML_SIGNATURE_INVALID');
  return xml;
}

/** Of a request whose layout was found right: its signature is on its root. @throws {SamlRefused} */
export async function requireSignedRequest(encoded: string, keys: SamlKeys): Promise<void> {
  await verifier(keys, true)
    .validatePostRequestAsync({ SAMLRequest: encoded })
    .catch((cause: unknown) => {
      throw new SamlRefused('SAML_SIGNATURE_INVALID', { cause });
    });
}

function verifier({ certificates, privateKey }: SamlKeys, wantAuthnResponseSigned: boolean): SignedBytes {
  const options: SamlConfig = {
    callbackUrl: 'urn:not:used',
    issuer: 'urn:not:used',
    idpCert: [...certificates],
    decryptionPvk: privateKey,
    wantAuthnResponseSigned,
    wantAssertionsSigned: false,
  };
  return new SignedBytes(options);
}

import { promisify } from 'node:util';
import { XMLSerializer } from '@xmldom/xmldom';
import xmlenc from 'xml-encryption';
import { rootOf } from './decode-message.js';
import type { Element } from './safe-xml.js';
import { SamlRefused } from './saml-refusals.js';
import type { SamlKeys } from './verify-signature.js';

const decrypt = promisify(xmlenc.decrypt.bind(xmlenc)) as (
  xml: string,
  options: { key: string; disallowDecryptionWithInsecureAlgorithm: boolean },
) => Promise<string>;

/** The assertion in an encrypted one: for its layout, which is to be looked at like any other's. @throws {SamlRefused} */
export async function decryptedAssertion(encrypted: Element, { privateKey }: SamlKeys): Promise<Element> {
  const options = { key: privateKey, disallowDecryptionWithInsecureAlgorithm: false };
  const xml = await decrypt(new XMLSerializer().serializeToString(encrypted), options).catch(
    (cause: unknown) => {
      throw new SamlRefused('SAML_ENCRYPTION', { cause });
    },
  );
  return rootOf(xml);
}

/** Namespaces (SAML 2.0 Core section 1.2, XML Signature section 1.3, XML Encryption section 1.3). */
export const SAML = 'urn:oasis:names:tc:SAML:2.0:assertion';
export const SAMLP = 'urn:oasis:names:tc:SAML:2.0:protocol';
export const METADATA = 'urn:oasis:names:tc:SAML:2.0:metadata';
export const DSIG = 'http://www.w3.org/2000/09/xmldsig#';
export const XENC = 'http://www.w3.org/2001/04/xmlenc#';

export const BEARER = 'urn:oasis:names:tc:SAML:2.0:cm:bearer';
export const SUCCESS = 'urn:oasis:names:tc:SAML:2.0:status:Success';
export const HTTP_POST = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST';
export const HTTP_REDIRECT = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect';

/** What attributes' values are typed by. */
export const XS = 'http://www.w3.org/2001/XMLSchema';
export const XSI = 'http://www.w3.org/2001/XMLSchema-instance';
export const ENTITY_FORMAT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:entity';

export const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#';

/** SHA-256 and above; no SHA-1, no HMAC, whose key would be the certificate that everybody has. */
export const SIGNATURE_METHODS: ReadonlySet<string> = new Set(
  ['rsa-sha256', 'rsa-sha384', 'rsa-sha512', 'ecdsa-sha256', 'ecdsa-sha384', 'ecdsa-sha512'].map(
    (name) => `http://www.w3.org/2001/04/xmldsig-more#${name}`,
  ),
);
export const DIGEST_METHODS: ReadonlySet<string> = new Set([
  'http://www.w3.org/2001/04/xmlenc#sha256',
  'http://www.w3.org/2001/04/xmldsig-more#sha384',
  'http://www.w3.org/2001/04/xmlenc#sha512',
]);
export const CANONICALIZATION_METHODS: ReadonlySet<string> = new Set([EXCLUSIVE]);
/** What SAML 2.0 Core section 5.4.4 allows, and nothing that could select another part than the whole. */
export const TRANSFORMS: ReadonlySet<string> = new Set([
  'http://www.w3.org/2000/09/xmldsig#enveloped-signature',
  EXCLUSIVE,
]);
/** Authenticated ciphers, and others where a signature around them was checked first. */
export const GCM: ReadonlySet<string> = new Set(
  ['aes128-gcm', 'aes192-gcm', 'aes256-gcm'].map((name) => `http://www.w3.org/2009/xmlenc11#${name}`),
);
export const CBC: ReadonlySet<string> = new Set(
  ['aes128-cbc', 'aes192-cbc', 'aes256-cbc'].map((name) => `${XENC}${name}`),
);
/** OAEP only: the older padding (PKCS #1 1.5) tells, by how it fails, what was encrypted. */
export const KEY_TRANSPORTS: ReadonlySet<string> = new Set([
  `${XENC}rsa-oaep-mgf1p`,
  'http://www.w3.org/2009/xmlenc11#rsa-oaep',
]);

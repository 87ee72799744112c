/** Why a SAML response or request was refused: one code for each check. Recorded in the event; the person is told one sentence. */
export const SAML_REFUSALS = {
  SAML_TOO_LARGE: 'The message is larger than 256 KiB.',
  SAML_ENCODING: 'The message is not base64 of UTF-8.',
  SAML_DOCTYPE: 'The message has a document type.',
  SAML_ENTITY: 'The message has an entity beyond the five of XML.',
  SAML_PROCESSING_INSTRUCTION: 'The message has a processing instruction.',
  SAML_COMMENT: 'The message has a comment, which could split a name in two.',
  SAML_CDATA: 'The message has a CDATA section.',
  SAML_MALFORMED: 'The message is not well-formed, or not a message of SAML 2.0.',
  SAML_STATUS: 'The provider says that the sign-in did not succeed.',
  SAML_ASSERTION_COUNT: 'The response has not exactly one assertion, in its place.',
  SAML_DUPLICATE_ID: 'Two elements have the same ID, or one has none.',
  SAML_SIGNATURE_MISSING: 'Neither the response nor the assertion is signed.',
  SAML_SIGNATURE_PLACE: 'A signature is not in its place, or signs something else than what it stands in.',
  SAML_SIGNATURE_ALGORITHM:
    'A signature is made by an algorithm that is not taken: SHA-1, HMAC, or an unknown one.',
  SAML_SIGNATURE_INVALID:
    'No certificate of the connection fits the signature, or what was signed was changed.',
  SAML_KEY_INFO:
    'A signature names another key than those of the connection, or holds what no provider puts there.',
  SAML_ENVELOPE: 'Around the signed assertion stands what no provider sends.',
  SAML_SIGNED_ELEMENT: 'What was signed is not the assertion that was found.',
  SAML_ENCRYPTION:
    'The assertion is encrypted by an algorithm that is not taken, or not for this connection.',
  SAML_ISSUER: 'The message is of another issuer than the connection.',
  SAML_DESTINATION: 'The message was meant for another address (Destination).',
  SAML_RECIPIENT: 'The assertion was meant for another address (Recipient).',
  SAML_AUDIENCE: 'The assertion was meant for another audience.',
  SAML_IN_RESPONSE_TO: 'The message does not answer the request that this sign-in began with.',
  SAML_UNSOLICITED: 'The sign-in began at the provider, which the connection does not allow.',
  SAML_NOT_YET_VALID: 'The assertion is not valid yet. The clock of the provider may be wrong.',
  SAML_EXPIRED: 'The assertion is not valid any more. The clock of the provider may be wrong.',
  SAML_LIFETIME: 'The assertion is valid for more than a day, or does not say until when.',
  SAML_SUBJECT: 'The assertion does not name its subject, or has no bearer confirmation.',
  SAML_SESSION_OVER: 'The provider says that its session is over.',
  SAML_NO_AUTHENTICATION: 'The assertion does not say that anybody was authenticated.',
  SAML_REPLAYED: 'The assertion was shown before.',
} as const;

export type SamlRefusal = keyof typeof SAML_REFUSALS;

export class SamlRefused extends Error {
  override readonly name = 'SamlRefused';
  constructor(
    readonly refusal: SamlRefusal,
    options?: ErrorOptions,
  ) {
    super(SAML_REFUSALS[refusal], options);
  }
}

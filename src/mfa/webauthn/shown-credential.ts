import { hash } from 'node:crypto';
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server';
import { FactorRefused } from '../mfa.errors.js';

type Members = Readonly<Record<string, unknown>>;

const BASE64URL = /^[A-Za-z0-9_-]+$/;
/** WebAuthn Level 3 section 4: a credential's id has at most 1,023 bytes. */
const LONGEST_ID = 1_364;
const LONGEST = 65_536;
const TRANSPORTS = new Set(['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb']);

export interface ExpectedOf {
  readonly type: 'webauthn.create' | 'webauthn.get';
  readonly challenge: string;
  readonly origin: string;
}

/** What a browser has shown of an authentication, by its members alone; whatever else it may say is not looked at. */
export function shownAssertion(shown: object): AuthenticationResponseJSON {
  const { id, response } = credential(shown);
  const handle = response['userHandle'];
  return {
    id,
    rawId: id,
    type: 'public-key',
    clientExtensionResults: {},
    response: {
      clientDataJSON: bytesOf(response, 'clientDataJSON'),
      authenticatorData: bytesOf(response, 'authenticatorData'),
      signature: bytesOf(response, 'signature'),
      ...(handle !== undefined && handle !== null && { userHandle: bytesOf(response, 'userHandle') }),
    },
  };
}

/** The same of a registration. */
export function shownRegistration(shown: object): RegistrationResponseJSON {
  const { id, response } = credential(shown);
  return {
    id,
    rawId: id,
    type: 'public-key',
    clientExtensionResults: {},
    response: {
      clientDataJSON: bytesOf(response, 'clientDataJSON'),
      attestationObject: bytesOf(response, 'attestationObject'),
      transports: transportsOf(response['transports']),
    },
  };
}

/** What the browser says that it was asked, and by whom: signed by the key, and each refused for its own reason. */
export function requireClientData(encoded: string, expected: ExpectedOf): void {
  const said = clientData(encoded);
  if (said['type'] !== expected.type) throw new FactorRefused('WEBAUTHN_TYPE');
  if (said['challenge'] !== expected.challenge) throw new FactorRefused('WEBAUTHN_CHALLENGE');
  if (said['origin'] !== expected.origin) throw new FactorRefused('WEBAUTHN_ORIGIN');
  if (said['crossOrigin'] === true || said['topOrigin'] !== undefined)
    throw new FactorRefused('WEBAUTHN_CROSS_ORIGIN');
}

/** The first thirty-two bytes of what a key signs name the site that it was asked by. */
export function requireRpId(authenticatorData: Uint8Array, rpId: string): void {
  const named = Buffer.from(authenticatorData.subarray(0, 32));
  if (!named.equals(hash('sha256', rpId, 'buffer'))) throw new FactorRefused('WEBAUTHN_RP');
}

function credential(shown: object): { id: string; response: Members } {
  const { id, response, type } = shown as Members;
  if (typeof id !== 'string' || id.length > LONGEST_ID || !BASE64URL.test(id))
    throw new FactorRefused('WEBAUTHN_MALFORMED');
  if (type !== 'public-key' || typeof response !== 'object' || response === null)
    throw new FactorRefused('WEBAUTHN_MALFORMED');
  return { id, response: response as Members };
}

function bytesOf(response: Members, name: string): string {
  const value = response[name];
  if (typeof value !== 'string' || value.length > LONGEST || !BASE64URL.test(value))
    throw new FactorRefused('WEBAUTHN_MALFORMED');
  return value;
}

function transportsOf(value: unknown): NonNullable<RegistrationResponseJSON['response']['transports']> {
  const named: unknown[] = Array.isArray(value) ? value.slice(0, 10) : [];
  return named.filter((one) => typeof one === 'string' && TRANSPORTS.has(one)) as never;
}

function clientData(encoded: string): Members {
  try {
    const said: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'));
    if (typeof said === 'object' && said !== null) return said as Members;
  } catch {
    // Answered below.
  }
  throw new FactorRefused('WEBAUTHN_MALFORMED');
}

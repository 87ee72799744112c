import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const STEP_SECONDS = 30;
const DIGITS = 6;
/** Clocks of telephones differ: the code before and the code after are taken too (RFC 6238 section 5.2). */
const DRIFT_STEPS = 1;
/** As long as the hash (RFC 4226 section 4, R6). */
const SECRET_BYTES = 20;
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

export function newTotpSecret(): Buffer {
  return randomBytes(SECRET_BYTES);
}

/** The code of a counter (RFC 4226 section 5.3), with HMAC-SHA-1: what every authenticator app can do. */
export function hotp(secret: Buffer, counter: number, digits = DIGITS): string {
  const moving = Buffer.alloc(8);
  moving.writeBigUInt64BE(BigInt(counter));
  const mac = createHmac('sha1', secret).update(moving).digest();
  const offset = mac.readUInt8(mac.length - 1) & 0x0f;
  const truncated = mac.readUInt32BE(offset) & 0x7fff_ffff;
  return String(truncated % 10 ** digits).padStart(digits, '0');
}

/** The counter of a moment (RFC 6238 section 4.2). */
export function totpStep(milliseconds: number): number {
  return Math.floor(milliseconds / 1_000 / STEP_SECONDS);
}

/** The counter whose code this is, of those that count now; undefined: none. All are looked at, in the same time. */
export function matchingStep(secret: Buffer, code: string, now: number): number | undefined {
  const shown = Buffer.from(code);
  const current = totpStep(now);
  let found: number | undefined;
  for (let step = Math.max(0, current - DRIFT_STEPS); step <= current + DRIFT_STEPS; step += 1) {
    const expected = Buffer.from(hotp(secret, step));
    if (shown.length === expected.length && timingSafeEqual(shown, expected)) found = step;
  }
  return found;
}

/** RFC 4648 section 6, without padding. */
export function base32(bytes: Buffer): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += BASE32[(held >>> (bits - 5)) & 31];
    held &= (1 << bits) - 1;
  }
  return bits > 0 ? `${text}${BASE32[(held << (5 - bits)) & 31]}` : text;
}

/** What authenticator apps read from a QR code: the URI format that Google Authenticator began, and all took over. */
export function otpauthUri(secret: Buffer, { issuer, account }: { issuer: string; account: string }): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(account)}`;
  const parameters = new URLSearchParams({
    secret: base32(secret),
    issuer,
    algorithm: 'SHA1',
    digits: String(DIGITS),
    period: String(STEP_SECONDS),
  });
  // Some apps take a plus for what it is.
  return `otpauth://totp/${label}?${parameters.toString().replaceAll('+', '%20')}`;
}

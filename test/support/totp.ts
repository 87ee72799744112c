import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** RFC 4648 section 6, as an authenticator app reads it. */
export function fromBase32(text: string): Buffer {
  const bits = [...text].map((sign) => ALPHABET.indexOf(sign).toString(2).padStart(5, '0')).join('');
  return Buffer.from(bits.match(/[01]{8}/g)?.map((byte) => Number.parseInt(byte, 2)) ?? []);
}

/** An authenticator app, written from RFC 6238 and from nothing of ours. */
export function totpCode(secret: Buffer, seconds: number, digits = 6): string {
  const counter = Buffer.alloc(8);
  counter.writeUInt32BE(Math.floor(seconds / 30 / 2 ** 32), 0);
  counter.writeUInt32BE(Math.floor(seconds / 30) % 2 ** 32, 4);
  const mac = createHmac('sha1', secret).update(counter).digest();
  const at = (mac[19] ?? 0) & 15;
  const value = mac.subarray(at, at + 4).reduce((sum, byte, index) => {
    return sum * 256 + (index === 0 ? byte & 127 : byte);
  }, 0);
  return String(value).slice(-digits).padStart(digits, '0');
}

/** The code of so many steps from now: those of 0 and 1 are taken for half a minute at least, each once. */
export function codeNow(secret: string, steps = 0): string {
  return totpCode(fromBase32(secret), Date.now() / 1_000 + steps * 30);
}

/** The code before the one of now, not in the moment in which it ceases to be taken. */
export async function codeBefore(secret: string): Promise<string> {
  const left = 30_000 - (Date.now() % 30_000);
  if (left < 3_000) await sleep(left + 50);
  return codeNow(secret, -1);
}

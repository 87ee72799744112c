import { createPublicKey, hash, sign, verify, type KeyObject } from 'node:crypto';

/** The algorithm's number in C2SP signed-note. */
const ED25519 = 0x01;
const KEY_HASH_LENGTH = 4;
/** Of a public key as SPKI; what follows is the key itself. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** A public key by the name that its signatures carry. */
export interface NoteVerifier {
  readonly name: string;
  readonly key: KeyObject;
}

export interface NoteSigner {
  readonly name: string;
  /** The private key, Ed25519. */
  readonly key: KeyObject;
}

/** A note is not of the form, or has no valid signature of a known key. */
export class NoteRefused extends Error {
  override readonly name = 'NoteRefused';
}

/** C2SP signed-note: the text, an empty line, a line for each signature. */
export function signNote(text: string, signers: readonly NoteSigner[]): string {
  requireText(text);
  const lines = signers.map(({ name, key }) => {
    const publicKey = createPublicKey(key);
    const signature = sign(null, Buffer.from(text), key);
    return `\u2014 ${name} ${Buffer.concat([keyHash(name, publicKey), signature]).toString('base64')}\n`;
  });
  return `${text}\n${lines.join('')}`;
}

/**
 * The text of a note that at least one of the keys has signed; signatures of unknown keys are passed over, a wrong one of
 * a known key is not. @throws {NoteRefused}
 */
export function openNote(
  note: string,
  verifiers: readonly NoteVerifier[],
): { text: string; signedBy: string[] } {
  const end = note.lastIndexOf('\n\n');
  if (end < 0 || !note.endsWith('\n')) throw new NoteRefused('This is no signed note.');
  const text = note.slice(0, end + 1);
  const signedBy: string[] = [];
  for (const line of note.slice(end + 2, -1).split('\n')) {
    const [, name, encoded] = /^\u2014 (\S+) ([A-Za-z0-9+/]+={0,2})$/.exec(line) ?? [];
    if (name === undefined || encoded === undefined) throw new NoteRefused('A signature line is malformed.');
    const bytes = Buffer.from(encoded, 'base64');
    const verifier = verifiers.find(
      (known) => known.name === name && keyHash(name, known.key).equals(bytes.subarray(0, KEY_HASH_LENGTH)),
    );
    if (!verifier) continue;
    if (!verify(null, Buffer.from(text), verifier.key, bytes.subarray(KEY_HASH_LENGTH)))
      throw new NoteRefused(`The signature of ${name} is not valid.`);
    signedBy.push(name);
  }
  if (signedBy.length === 0) throw new NoteRefused('The note has no signature of a known key.');
  return { text, signedBy };
}

/** C2SP's encoding of a verifier: `name+hash+key`. */
export function formatVerifier(name: string, key: KeyObject): string {
  const encoded = Buffer.concat([Buffer.of(ED25519), rawKey(key)]).toString('base64');
  return `${name}+${keyHash(name, key).toString('hex')}+${encoded}`;
}

/** @throws {NoteRefused} */
export function parseVerifier(text: string): NoteVerifier {
  const [, name, id, encoded] = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/.exec(text.trim()) ?? [];
  const bytes = Buffer.from(encoded ?? '', 'base64');
  if (name === undefined || bytes[0] !== ED25519 || bytes.length !== 33)
    throw new NoteRefused('This is no verifier key of the form name+hash+key.');
  const key = createPublicKey({
    key: Buffer.concat([SPKI_PREFIX, bytes.subarray(1)]),
    format: 'der',
    type: 'spki',
  });
  if (keyHash(name, key).toString('hex') !== id)
    throw new NoteRefused('The verifier key does not have its hash.');
  return { name, key };
}

/** The first four bytes of SHA-256(name || 0x0A || algorithm || public key). */
function keyHash(name: string, publicKey: KeyObject): Buffer {
  const input = Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(ED25519), rawKey(publicKey)]);
  return hash('sha256', input, 'buffer').subarray(0, KEY_HASH_LENGTH);
}

function rawKey(publicKey: KeyObject): Buffer {
  if (publicKey.asymmetricKeyType !== 'ed25519') throw new Error('Notes are signed with Ed25519 keys.');
  return publicKey.export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length);
}

function requireText(text: string): void {
  const controls = /\p{Cc}/u.test(text.replaceAll('\n', ''));
  if (!text.endsWith('\n') || controls)
    throw new Error('The text of a note ends in a line feed and has no other control character.');
}

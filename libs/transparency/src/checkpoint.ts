import { HASH_LENGTH } from './hashes.js';
import { NoteRefused, openNote, signNote, type NoteSigner, type NoteVerifier } from './note.js';

/** C2SP tlog-checkpoint: how long a log was and which root it had. */
export interface Checkpoint {
  /** Which log: its name in the world. */
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
  /** Further lines of the text. */
  readonly extension: readonly string[];
}

export function signCheckpoint(checkpoint: Checkpoint, signers: readonly NoteSigner[]): string {
  const { origin, size, root, extension } = checkpoint;
  const lines = [origin, String(size), root.toString('base64'), ...extension];
  if (lines.some((line) => line === '' || line.includes('\n')))
    throw new Error('A checkpoint has no empty line.');
  return signNote(`${lines.join('\n')}\n`, signers);
}

/** @throws {NoteRefused} for what is no checkpoint or carries no valid signature of these keys */
export function openCheckpoint(
  note: string,
  verifiers: readonly NoteVerifier[],
): Checkpoint & { signedBy: string[] } {
  const { text, signedBy } = openNote(note, verifiers);
  const [origin, size = '', encoded = '', ...extension] = text.slice(0, -1).split('\n');
  const root = Buffer.from(encoded, 'base64');
  const number = /^(0|[1-9]\d*)$/.test(size) ? Number(size) : Number.NaN;
  const canonical = root.length === HASH_LENGTH && root.toString('base64') === encoded;
  if (!origin || !Number.isSafeInteger(number) || !canonical) throw new NoteRefused('This is no checkpoint.');
  return { origin, size: number, root, extension, signedBy };
}

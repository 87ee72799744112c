import {
  leafHash,
  NoteRefused,
  openCheckpoint,
  ProofRefused,
  verifyInclusion,
  type NoteVerifier,
} from '@waxell/transparency';
import type { Finding } from './finding.js';

/** What `GET /v1/audit/proofs/publication` answers, as far as it is believed. */
interface Proof {
  readonly index: number;
  readonly rootCheckpoint: string;
  readonly hashes: readonly string[];
}

/**
 * Verifies that a checkpoint is in the log of checkpoints, which is the same for everybody: whoever was shown another log
 * than everybody else has none that is. Answers how long that log was; what is wrong where it does not follow.
 *
 * @param answer of the server, as it was saved
 * @param kept notes, of which the proof is of one
 */
export function verifyPublication(
  answer: string,
  kept: readonly string[],
  verifiers: readonly NoteVerifier[],
): { readonly size: number; readonly published: number } | Finding {
  const proof = parsed(answer);
  if (!proof) return refused('It is not what GET /v1/audit/proofs/publication answers.');
  let reason = 'Give the checkpoint that it is of: --checkpoint FILE.';
  for (const note of kept) {
    try {
      const root = openCheckpoint(proof.rootCheckpoint, verifiers);
      const { size, origin } = openCheckpoint(note, verifiers);
      // A log may have moved; each cell has a log of checkpoints of its own.
      if (!root.origin.startsWith(origin.replace(/[^/]+$/, 'roots/')))
        return refused(`Its root is of ${root.origin}, which is not the log of checkpoints of ${origin}.`);
      const path = proof.hashes.map((hash) => Buffer.from(hash, 'hex'));
      verifyInclusion(leafHash(Buffer.from(note)), proof.index, root.size, path, root.root);
      return { size, published: root.size };
    } catch (error) {
      if (!(error instanceof ProofRefused || error instanceof NoteRefused)) throw error;
      reason = error.message;
    }
  }
  return refused(reason);
}

function refused(why: string): Finding {
  return { kind: 'publication_unproven', message: `The proof of publication shows nothing: ${why}` };
}

function parsed(answer: string): Proof | undefined {
  let value: unknown;
  try {
    value = JSON.parse(answer);
  } catch {
    return undefined;
  }
  const { index, rootCheckpoint, hashes } = (value ?? {}) as Record<string, unknown>;
  const hex = (each: unknown): each is string => typeof each === 'string' && /^[0-9a-f]{64}$/.test(each);
  if (typeof index !== 'number' || typeof rootCheckpoint !== 'string' || !Array.isArray(hashes))
    return undefined;
  return hashes.every(hex) ? { index, rootCheckpoint, hashes } : undefined;
}

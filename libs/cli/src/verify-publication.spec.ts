import { generateKeyPairSync } from 'node:crypto';
import {
  formatVerifier,
  Frontier,
  inclusionProof,
  leafHash,
  nodeHash,
  parseVerifier,
  signCheckpoint,
} from '@waxell/transparency';
import { describe, expect, it } from 'vitest';
import { verifyPublication } from './verify-publication.js';

const NAME = 'waxell.example/audit';
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const VERIFIERS = [parseVerifier(formatVerifier(NAME, publicKey))];
const SIGNERS = [{ name: NAME, key: privateKey }];

const note = (log: string, size: number, root = leafHash(Buffer.from(`${size}`))): string =>
  signCheckpoint({ origin: `${NAME}/${log}`, size, root, extension: [] }, SIGNERS);
const notes = [3, 9, 20, 41, 50].map((size) => note('t_0123456789abcdef', size));
const leaves = notes.map((each) => leafHash(Buffer.from(each)));
const frontier = Frontier.of(Buffer.alloc(0), 0);
for (const leaf of leaves) frontier.append(leaf);
const root = note('roots/eu-1', leaves.length, frontier.root());
const subtree = (level: number, index: number): Buffer =>
  level === 0
    ? (leaves[index] ?? Buffer.alloc(32))
    : nodeHash(subtree(level - 1, 2 * index), subtree(level - 1, 2 * index + 1));
const answer = (index: number, changes: object = {}): string =>
  JSON.stringify({
    size: 20,
    index,
    rootCheckpoint: root,
    hashes: inclusionProof(index, leaves.length, ({ level, index: at }) => subtree(level, at)).map((hash) =>
      hash.toString('hex'),
    ),
    ...changes,
  });
const [, , kept = '', other = ''] = notes;
const unproven = { kind: 'publication_unproven' };

describe('a proof of publication', () => {
  it('shows that a checkpoint that was kept is among those of everybody', () => {
    expect(verifyPublication(answer(2), [kept], VERIFIERS)).toEqual({ size: 20, published: 5 });
    expect(verifyPublication(answer(2), [other, kept], VERIFIERS)).toEqual({ size: 20, published: 5 });
  });

  it.each([
    ['of another checkpoint', answer(2), [other]],
    ['of none that is given', answer(2), []],
    ['with another place', answer(2, { index: 1 }), [kept]],
    ['with a place that is none', answer(2, { index: -1 }), [kept]],
    ['with other hashes', answer(2, { hashes: ['0'.repeat(64)] }), [kept]],
    ['with a root that nobody signed', answer(2, { rootCheckpoint: root.replace('\n5\n', '\n6\n') }), [kept]],
    [
      'in another log than that of checkpoints',
      answer(2, { rootCheckpoint: note('t_0123456789abcdef', leaves.length, frontier.root()) }),
      [kept],
    ],
    [
      'in the log of checkpoints of another installation',
      answer(2, {
        rootCheckpoint: signCheckpoint(
          { origin: 'another.example/roots/eu-1', size: leaves.length, root: frontier.root(), extension: [] },
          SIGNERS,
        ),
      }),
      [kept],
    ],
    ['that is no answer', 'null', [kept]],
    ['that is no JSON', '{', [kept]],
  ])('%s shows nothing', (_what, text, given) => {
    expect(verifyPublication(text, given, VERIFIERS)).toMatchObject(unproven);
  });
});

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openCheckpoint, signCheckpoint } from './checkpoint.js';
import { formatVerifier, NoteRefused, openNote, parseVerifier, signNote } from './note.js';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const other = generateKeyPairSync('ed25519');
const signer = { name: 'waxell.example/log', key: privateKey };
const verifier = parseVerifier(formatVerifier(signer.name, publicKey));

describe('a signed note', () => {
  it('has the form of C2SP signed-note, byte by byte', () => {
    // The example of the specification (c2sp.org/signed-note): its key and its signature, of a text of two lines.
    const known = parseVerifier('PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
    const text =
      'If you think cryptography is the answer to your problem,\nthen you don’t know what your problem is.\n'.replace(
        '’',
        "'",
      );
    const note = `${text}\n\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`;
    expect(openNote(note, [known])).toEqual({ text, signedBy: ['PeterNeumann'] });
  });

  it('is refused once any character is another', () => {
    const note = signNote('first line\nsecond line\n', [signer]);
    fc.assert(
      fc.property(fc.nat(note.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, character) => {
        fc.pre(note[at] !== character);
        const altered = note.slice(0, at) + character + note.slice(at + 1);
        // Base64 of the last group can be written in two ways; the bytes are the same.
        let opened: { text: string } | undefined;
        try {
          opened = openNote(altered, [verifier]);
        } catch (error) {
          expect(error).toBeInstanceOf(NoteRefused);
        }
        if (opened) expect(opened.text).toBe('first line\nsecond line\n');
      }),
      { numRuns: 500 },
    );
  });

  it('passes over signatures of unknown keys, and demands one of a known key', () => {
    const both = signNote('text\n', [{ name: 'somebody', key: other.privateKey }, signer]);
    expect(openNote(both, [verifier]).signedBy).toEqual([signer.name]);
    expect(() =>
      openNote(signNote('text\n', [{ name: 'somebody', key: other.privateKey }]), [verifier]),
    ).toThrow('no signature of a known key');
    expect(() => openNote(signNote('text\n', [{ ...signer, key: other.privateKey }]), [verifier])).toThrow(
      NoteRefused,
    );
  });

  it('refuses a verifier whose hash is another key’s', () => {
    const [name, , key] = formatVerifier(signer.name, publicKey).split('+');
    expect(() => parseVerifier(`${name}+00000000+${key}`)).toThrow(NoteRefused);
    expect(() => parseVerifier('nonsense')).toThrow(NoteRefused);
  });
});

describe('a checkpoint', () => {
  const checkpoint = {
    origin: 'waxell.example/t_1',
    size: 12_345,
    root: randomBytes(32),
    extension: ['at 1'],
  };

  it('opens as it was signed', () => {
    expect(openCheckpoint(signCheckpoint(checkpoint, [signer]), [verifier])).toEqual({
      ...checkpoint,
      signedBy: [signer.name],
    });
  });

  it('is refused when its text is none', () => {
    for (const text of ['origin\n', 'origin\n01\nAAAA\n', 'origin\n1\nAAAA\n', 'origin\n-1\nAAAA\n', '\n']) {
      expect(() => openCheckpoint(signNote(text, [signer]), [verifier]), text).toThrow(NoteRefused);
    }
  });
});

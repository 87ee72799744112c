import { createSecretKey, randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { FieldUnreadable, openField, sealField } from './field-codec.js';
import { unwrapKey, wrapKey } from './wrapped-key.js';

const newKey = () => ({ id: randomBytes(16), key: createSecretKey(randomBytes(32)) });
const PLACE = { tenant: 't_0000000000000001', purpose: 'index', id: '0193c0de-0000-7000-8000-000000000001' };

it('a wrapped key opens for its tenant, purpose, id and wrapping key, and for nothing else', () => {
  const by = newKey();
  const key = randomBytes(32);
  const wrapped = wrapKey(by, PLACE, key);
  expect(unwrapKey(by, PLACE, wrapped).export()).toEqual(key);
  expect(wrapped.includes(key)).toBe(false);
  const others = {
    tenant: 't_0000000000000002',
    purpose: 'field',
    id: '0193c0de-0000-7000-8000-000000000002',
  };
  for (const [part, other] of Object.entries(others))
    expect(() => unwrapKey(by, { ...PLACE, [part]: other }, wrapped)).toThrow(FieldUnreadable);
  expect(() => unwrapKey(newKey(), PLACE, wrapped)).toThrow(FieldUnreadable);
  expect(() => unwrapKey({ ...by, id: randomBytes(16) }, PLACE, wrapped)).toThrow(FieldUnreadable);
});

it('a wrapped key of which any bit was changed, or that was cut, is refused', () => {
  const by = newKey();
  const wrapped = wrapKey(by, PLACE, randomBytes(32));
  for (let bit = 0; bit < wrapped.length * 8; bit += 1) {
    const altered = Buffer.from(wrapped);
    altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(() => unwrapKey(by, PLACE, altered), `bit ${bit}`).toThrow(FieldUnreadable);
  }
  for (let length = 0; length < wrapped.length; length += 1)
    expect(() => unwrapKey(by, PLACE, wrapped.subarray(0, length))).toThrow(FieldUnreadable);
});

it('a wrapped key is no field, and a field no wrapped key, under one and the same key', () => {
  const by = newKey();
  const field = { tenant: PLACE.tenant, table: 'index', column: PLACE.id, row: '' };
  expect(() => openField(by, field, wrapKey(by, PLACE, randomBytes(32)))).toThrow(FieldUnreadable);
  const sealed = sealField(by, field, randomBytes(32));
  // The data key as the field holds it: nonce, key and tag after 18 bytes.
  const asKey = Buffer.concat([Buffer.of(1), sealed.subarray(18, 18 + 60)]);
  expect(() => unwrapKey(by, PLACE, asKey)).toThrow(FieldUnreadable);
});

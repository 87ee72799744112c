import { describe, expect, it } from 'vitest';
import { asAppError } from './problem.js';

describe('text that PostgreSQL cannot hold', () => {
  it.each(['22021', '22P05'])('is the fault of the request (SQLSTATE %s)', (code) => {
    const error = asAppError(Object.assign(new Error('invalid byte sequence'), { code }), 1);
    expect([error.kind, error.code]).toEqual(['invalid', 'INVALID_REQUEST']);
  });

  it('is recognised behind an error of TypeORM', () => {
    const driverError = Object.assign(new Error('unsupported Unicode escape sequence'), { code: '22P05' });
    expect(asAppError(Object.assign(new Error('QueryFailedError'), { driverError }), 1).kind).toBe('invalid');
  });

  it('is not what every other database error is', () => {
    expect(asAppError(Object.assign(new Error('boom'), { code: '42P01' }), 1).kind).toBe('internal');
  });
});

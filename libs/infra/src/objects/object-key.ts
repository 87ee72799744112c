const SEGMENT = /^[A-Za-z0-9._=-]{1,200}$/;
/** S3's own bound. */
const KEY_LIMIT = 1_024;

/** `/`-separated segments of A-Z a-z 0-9 . _ = -, none of them `.` or `..`; what both a file system and S3 keep as it is. */
export function requireObjectKey(key: string): void {
  const right = key.length <= KEY_LIMIT && key.split('/').every(isSegment);
  if (!right) throw new Error(`Not an object key: ${JSON.stringify(key)}`);
}

/** The beginning of a key, or nothing; it may end within a segment. */
export function requireObjectPrefix(prefix: string): void {
  const segments = prefix.split('/');
  const last = segments.pop() ?? '';
  const right = segments.every(isSegment) && (last === '' || SEGMENT.test(last));
  if (!right || prefix.length > KEY_LIMIT)
    throw new Error(`Not an object key's beginning: ${JSON.stringify(prefix)}`);
}

function isSegment(segment: string): boolean {
  return SEGMENT.test(segment) && segment !== '.' && segment !== '..';
}

export interface PutOptions {
  readonly contentType?: string;
}

export interface ListOptions {
  /** Lists what comes after this key. */
  readonly after?: string;
  readonly limit: number;
}

/** The store did not do it. The cause is for the log only: it may name hosts and request ids. */
export class ObjectStoreError extends Error {
  override readonly name = 'ObjectStoreError';
}

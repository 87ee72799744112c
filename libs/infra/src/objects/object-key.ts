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
  /** Until then nobody can delete the object, or shorten this time. Only where the store has `locks`. */
  readonly retainUntil?: Date;
  /** Nor while it is held, for however long that is. */
  readonly legalHold?: boolean;
}

/** What keeps an object from being deleted. */
export interface ObjectLock {
  readonly retainUntil: Date | undefined;
  readonly legalHold: boolean;
}

export interface ListOptions {
  /** Lists what comes after this key. */
  readonly after?: string;
  readonly limit: number;
}

/** The store did not do it. The cause is for the log only: it may name hosts and request ids. */
export class ObjectStoreError extends Error {
  override readonly name: string = 'ObjectStoreError';
}

/** The object cannot be deleted yet. */
export class ObjectLocked extends ObjectStoreError {
  override readonly name = 'ObjectLocked';
  constructor(readonly lock: ObjectLock) {
    super('The object is locked and was not deleted.');
  }
}

export function isLocked({ retainUntil, legalHold }: ObjectLock): boolean {
  return legalHold || (retainUntil !== undefined && retainUntil.getTime() > Date.now());
}

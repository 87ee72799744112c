import { ObjectStoreError } from './object-key.js';

/** Keeps what the server said for the log. */
export async function s3Call<Answer>(operation: string, call: () => Promise<Answer>): Promise<Answer> {
  try {
    return await call();
  } catch (cause) {
    const name = cause instanceof Error ? cause.name : 'unknown';
    throw new ObjectStoreError(`The object store failed to ${operation}: ${name}`, { cause });
  }
}

/**
 * What statements of one flush come to. Of several that fail the first in their order is why: a later one may fail for what the
 * first has found, and be told of it sooner.
 */
export async function inOrder<T extends readonly unknown[]>(
  work: T,
): Promise<{ [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work);
  return Promise.all(work);
}

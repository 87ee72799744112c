/**
 * Waits for `work`, for `signal` or for `dueMs`, whichever comes first. Leaves no timer and no listener behind, which
 * a `Promise.race` against one long-lived promise would: its reactions pile up until that promise settles.
 */
export async function firstOf<T>(
  work: Promise<T>,
  signal: AbortSignal,
  dueMs?: number,
): Promise<{ readonly value: T } | 'aborted' | 'due'> {
  if (signal.aborted) {
    work.catch(() => {});
    return 'aborted';
  }
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  try {
    return await new Promise((resolve, reject) => {
      work.then((value) => resolve({ value }), reject);
      onAbort = () => resolve('aborted');
      signal.addEventListener('abort', onAbort, { once: true });
      if (dueMs !== undefined) timer = setTimeout(() => resolve('due'), dueMs);
    });
  } finally {
    clearTimeout(timer);
    if (onAbort) signal.removeEventListener('abort', onAbort);
  }
}

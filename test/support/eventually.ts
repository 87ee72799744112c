import { setTimeout as sleep } from 'node:timers/promises';

/** Repeats an observation until it holds, and fails with its last failure when it does not within the limit. */
export async function eventually<T>(observe: () => Promise<T>, limitMs: number): Promise<T> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    try {
      return await observe();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(20);
    }
  }
}

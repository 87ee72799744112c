import { Frontier } from './frontier.js';

/** Where a log goes on whose beginning is gone: after this event, with chain and tree as they stood there. */
export interface Beginning {
  readonly seq: number;
  readonly chain: Buffer;
  readonly frontier: Buffer;
}

/** The action of the event by which a log says that its beginning is gone as its time was over. */
export const EXPIRED = 'audit.expired';

/** What such an event says, as its changes: which events went, and where chain and tree stood after them. */
export function expiryOf(first: number, { seq, chain, frontier }: Beginning) {
  const root = Frontier.of(frontier, seq).root();
  return { first, last: seq, chain: chain.toString('base64'), root: root.toString('base64') };
}

/** Whether an event says that exactly this beginning is gone, as its time was over. */
export function vouchesFor(event: Buffer | string, beginning: Beginning): boolean {
  const text = event.toString();
  // Few events say it: the others are not parsed.
  if (!text.includes(EXPIRED)) return false;
  try {
    const { action, changes } = JSON.parse(text) as { action?: unknown; changes?: Record<string, unknown> };
    const { last, chain, root } = expiryOf(1, beginning);
    return (
      action === EXPIRED &&
      changes?.['last'] === last &&
      changes['chain'] === chain &&
      changes['root'] === root
    );
  } catch {
    return false;
  }
}

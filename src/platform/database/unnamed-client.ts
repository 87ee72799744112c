import pg from 'pg';

/**
 * pg's client for use behind a pooler in transaction mode, which gives each transaction another server connection: a
 * named statement is sent without its name, as the next connection would not know it.
 */
export class UnnamedClient extends pg.Client {
  override query(...args: unknown[]): never {
    const [first, ...rest] = args;
    // What submits itself has seen to its name.
    const named = typeof first === 'object' && first !== null && !('submit' in first);
    const unnamed = named ? { ...first, name: undefined } : first;
    return super.query(...([unnamed, ...rest] as Parameters<pg.Client['query']>)) as never;
  }
}

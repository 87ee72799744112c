import pg from 'pg';

/**
 * pg's client for use behind a pooler in transaction mode, which gives each transaction another server connection: a
 * named statement is sent without its name, as the next connection would not know it.
 */
export class UnnamedClient extends pg.Client {
  override query(...args: unknown[]): never {
    const [first, ...rest] = args;
    const unnamed = typeof first === 'object' && first !== null ? { ...first, name: undefined } : first;
    return super.query(...([unnamed, ...rest] as Parameters<pg.Client['query']>)) as never;
  }
}

import pg from 'pg';

/**
 * pg's client for use behind a pooler in transaction mode, which gives each transaction another server connection: a
 * named statement is sent without its name, as the next connection would not know it.
 */
export class UnnamedClient extends pg.Client {
  override query(...args: unknown[]): never {
    const [first, ...rest] = args;
    if (typeof first !== 'object' || first === null || !('name' in first)) {
      return super.query(...(args as [never])) as never;
    }
    return super.query(...([{ ...first, name: undefined }, ...rest] as unknown as [never])) as never;
  }
}

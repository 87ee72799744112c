/** What a standing connection needs of a client. */
export interface Standing {
  connect(): Promise<unknown>;
  end(): Promise<void>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
}

/**
 * One connection for one purpose, opened when it is first needed and again after it was lost. What waits on a lost one
 * fails, as pg does it; the next use opens another.
 */
export class StandingConnection<Client extends Standing> {
  #client: Client | undefined;
  #opening: Promise<Client> | undefined;

  constructor(
    private readonly make: () => Client,
    private readonly onError: (error: Error) => void,
  ) {}

  /** The open client, at once where there is one. */
  get(): Client | Promise<Client> {
    if (this.#client) return this.#client;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async close(): Promise<void> {
    const client = this.#client ?? (await this.#opening?.catch(() => undefined));
    this.#client = undefined;
    await client?.end();
  }

  async #open(): Promise<Client> {
    const client = this.make();
    const lost = (): void => {
      if (this.#client === client) this.#client = undefined;
    };
    client.on('error', (error) => {
      lost();
      this.onError(error);
    });
    client.on('end', lost);
    await client.connect();
    this.#client = client;
    return client;
  }
}

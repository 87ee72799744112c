/** What a standing connection needs of a client. */
export interface Standing {
  connect(): Promise<unknown>;
  end(): Promise<void>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
}

/** After a successor could not be opened. */
const REPLACE_AGAIN_MS = 5_000;

/**
 * One connection for one purpose, opened when it is first needed and again after it was lost. What waits on a lost one
 * fails, as pg does it; the next use opens another.
 */
export class StandingConnection<Client extends Standing> {
  #client: Client | undefined;
  #opening: Promise<Client> | undefined;
  /** Replaced clients that still finish what they carry. */
  readonly #retiring = new Set<Promise<void>>();
  #notBefore = 0;

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

  /**
   * Opens a successor, then lets the present client end what it carries. Whatever is asked for goes to the present one
   * until the successor is open, and where none can be opened, after that.
   */
  replace(): void {
    const worn = this.#client;
    if (!worn || this.#opening || Date.now() < this.#notBefore) return;
    this.#opening = this.#open().finally(() => {
      this.#opening = undefined;
    });
    this.#opening.then(
      () => this.#retire(worn),
      (error: Error) => {
        this.#notBefore = Date.now() + REPLACE_AGAIN_MS;
        this.onError(error);
      },
    );
  }

  async close(): Promise<void> {
    const opened = await this.#opening?.catch(() => undefined);
    const client = this.#client ?? opened;
    this.#client = undefined;
    await Promise.all([client?.end(), ...this.#retiring]);
  }

  #retire(client: Client): void {
    const ended = client.end().finally(() => this.#retiring.delete(ended));
    this.#retiring.add(ended);
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

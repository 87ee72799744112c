import { Resolver } from 'node:dns/promises';

export interface DnsOptions {
  /** `address` or `address:port`; left out, those of the system. */
  readonly servers?: readonly string[];
  /** How long one server is waited for; each is asked twice. */
  readonly timeoutMs?: number;
}

const NOTHING_THERE: ReadonlySet<unknown> = new Set(['ENODATA', 'ENOTFOUND']);
/** A name with more or longer texts than this is none of ours. */
const MOST_TEXTS = 100;
const LONGEST_TEXT = 512;

/** Texts (TXT records, RFC 1035 section 3.3.14) as the DNS has them at this moment: nothing is kept. */
export class DnsNameServer {
  private readonly options: DnsOptions;

  constructor(options: DnsOptions = {}) {
    this.options = options;
  }

  async texts(name: string): Promise<string[]> {
    // One for each question: `cancel` and the servers are the resolver's as a whole.
    const resolver = new Resolver({ timeout: this.options.timeoutMs ?? 2_000, tries: 2, maxTimeout: 2_500 });
    if (this.options.servers) resolver.setServers(this.options.servers);
    const limit = setTimeout(() => resolver.cancel(), (this.options.timeoutMs ?? 2_000) * 2.5);
    try {
      const records = await resolver.resolveTxt(name);
      return records.slice(0, MOST_TEXTS).map((parts) => parts.join('').slice(0, LONGEST_TEXT));
    } catch (error) {
      if (NOTHING_THERE.has((error as { code?: unknown }).code)) return [];
      throw error;
    } finally {
      clearTimeout(limit);
    }
  }
}

/** Asks the DNS for what the owner of a domain has put there. */
export abstract class NameServer {
  /** The texts of a name, each put together from its parts; none where the name has none. Rejects where there is no answer in five seconds. */
  abstract texts(name: string): Promise<string[]>;
}

import { asResource, type Json, type Resource } from './resource.js';
import type { Exchange } from './scim-server.js';

/** Shorter ones could be part of anything. */
const SHORTEST_ID = 8;

/** What was sent and what came, of the run's own people and groups alone. */
export class Recording {
  readonly #exchanges: (Exchange & { readonly step: string })[] = [];
  #step = '';
  #begun = 0;

  constructor(private readonly mark: string) {}

  begin(step: string): void {
    this.#step = step;
    this.#begun = this.#exchanges.length;
  }

  add({ answer, ...sent }: Exchange): void {
    const body = this.#own(answer.body);
    const { status, type } = answer;
    const came = { status, type, body };
    this.#exchanges.push({ step: this.#step, ...sent, answer: came });
  }

  /** Of the step that has begun last, in a line. */
  outcome(): string {
    const exchanges = this.#exchanges.slice(this.#begun);
    if (exchanges.length === 0) return 'no answer';
    return exchanges
      .map(({ method, path, answer }) => `${method} ${kindIn(path)} ${answer.status}`)
      .join(', ');
  }

  /** JSON Lines; ids, which are new with each run, are numbered in the order in which they were made. */
  lines(ids: ReadonlySet<string>): string {
    const text = this.#exchanges.map((exchange) => `${JSON.stringify(exchange)}\n`).join('');
    return [...ids]
      .filter((id) => id.length >= SHORTEST_ID)
      .reduce((said, id, index) => said.replaceAll(id, `{id ${index + 1}}`), text);
  }

  /** A page has other people too, and they are nobody's business. */
  #own(body: Json | undefined): Json | undefined {
    const resource: Resource | undefined = asResource(body);
    if (!resource || !Array.isArray(resource['Resources'])) return body;
    const found = resource['Resources'] as readonly Json[];
    return { ...resource, Resources: found.filter((one) => JSON.stringify(one).includes(this.mark)) };
  }
}

function kindIn(path: string): string {
  return /^\/[A-Za-z]+/.exec(path)?.[0] ?? '/';
}

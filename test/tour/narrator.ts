/** Tells what happens, in plain words, and counts what held. Secrets that it was told of never reach the terminal. */
export class Narrator {
  readonly failures: string[] = [];
  #held = 0;
  #step = 0;
  readonly #secrets = new Set<string>();

  get held(): number {
    return this.#held;
  }

  step(title: string): void {
    this.#step += 1;
    this.#line(`\n${this.#step}. ${title}`);
  }

  say(text: string): void {
    this.#line(`   ${text}`);
  }

  /** What came back, on one line that fits a terminal. */
  show(what: string, value: unknown, width = 150): void {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    this.say(`${what}: ${shortened(this.#masked(text), width)}`);
  }

  check(fact: string, holds: boolean, instead?: unknown): void {
    if (holds) {
      this.#held += 1;
      this.#line(`   \u2713 ${fact}`);
      return;
    }
    this.failures.push(fact);
    this.#line(`   \u2717 NOT SO: ${fact}`);
    if (instead !== undefined) this.show('  instead', instead, 600);
  }

  /** Hides a value wherever it would be printed; its first characters stay, so that two can be told apart. */
  secret(value: string): string {
    this.#secrets.add(value);
    return value;
  }

  #line(text: string): void {
    process.stdout.write(`${this.#masked(text)}\n`);
  }

  #masked(text: string): string {
    let masked = text;
    for (const secret of this.#secrets) masked = masked.replaceAll(secret, `${secret.slice(0, 8)}\u2026`);
    return masked;
  }
}

function shortened(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width)}\u2026` : text;
}

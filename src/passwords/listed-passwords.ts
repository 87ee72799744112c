/** Two listed passwords in a row count from this length on: of shorter ones there are so many that they make up anything. */
const SHORTEST_PART = 5;

/** The passwords that leaks have most often, as @zxcvbn-ts/language-common publishes them, in small letters and in order. */
export class ListedPasswords {
  readonly #longest: number;

  constructor(private readonly ordered: readonly string[]) {
    this.#longest = ordered.reduce((longest, { length }) => Math.max(longest, length), 0);
  }

  get size(): number {
    return this.ordered.length;
  }

  has(text: string): boolean {
    let [from, to] = [0, this.ordered.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      const found = this.ordered[middle] ?? '';
      if (found === text) return true;
      if (found < text) from = middle + 1;
      else to = middle;
    }
    return false;
  }

  /** Whether it is one of them, or two in a row. */
  makeUp(text: string): boolean {
    if (this.has(text)) return true;
    if (text.length > 2 * this.#longest) return false;
    for (let at = SHORTEST_PART; at <= text.length - SHORTEST_PART; at += 1)
      if (this.has(text.slice(0, at)) && this.has(text.slice(at))) return true;
    return false;
  }
}

let loading: Promise<ListedPasswords> | undefined;

/** Read when a password is set for the first time: most processes never need it, and no start waits for it. */
export function listedPasswords(): Promise<ListedPasswords> {
  loading ??= load();
  return loading;
}

async function load(): Promise<ListedPasswords> {
  const { dictionary } = await import('@zxcvbn-ts/language-common');
  return new ListedPasswords(dictionary['passwords-common'].map((one) => one.toLowerCase()).toSorted());
}

/** What a command works with, so that tests can look at it. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes a line for a person. */
  readonly out: (line: string) => void;
  /** Where data comes from; absent: there is none. */
  readonly input?: AsyncIterable<Uint8Array | string>;
  /** Where data goes. */
  readonly stream: NodeJS.WritableStream;
  /** Asks whoever sits at the terminal, and shows nothing of the answer; absent where nobody does. */
  readonly askHidden?: (question: string) => Promise<string>;
}

/** Resolves with the exit code. */
export type Command = (args: readonly string[], surroundings: Surroundings) => Promise<number>;

/** The command was not called as it must be. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

import { inspect } from 'node:util';
import { PersonErased } from './key-errors.js';

type State<T> =
  | { readonly kind: 'plain'; readonly value: T; readonly person?: string }
  | { readonly kind: 'sealed'; readonly value: T; readonly bytes: Buffer }
  | { readonly kind: 'stored'; readonly bytes: Buffer }
  | { readonly kind: 'bound'; readonly bytes: Buffer; readonly open: () => T };

/** Stands in for a value that is not encrypted yet. pg asks it for what to send, and gets an error. */
class Unsealed {
  toPostgres(): never {
    throw new Error('An encrypted column was written without being sealed.');
  }
}

/**
 * The value of an encrypted column. Reading it is a call that can be searched for, `reveal()`; logging, inspecting or
 * serialising it shows nothing. Decryption happens at the first `reveal()`, once.
 */
export class Sealed<T> {
  #state: State<T>;

  private constructor(state: State<T>) {
    this.#state = state;
  }

  /** A value on its way in: sealed when its row is saved; under the key of a person where it is that person's. */
  static of<T>(value: T, person?: string): Sealed<T> {
    return new Sealed<T>({ kind: 'plain', value, person });
  }

  /** A value on its way out, as it is stored. */
  static stored<T>(bytes: Buffer): Sealed<T> {
    return new Sealed<T>({ kind: 'stored', bytes });
  }

  reveal(): T {
    const state = this.#state;
    if (state.kind === 'stored')
      throw new Error('This value was not loaded through its repository: it cannot be revealed.');
    if (state.kind === 'bound') {
      const value = state.open();
      this.#state = { kind: 'sealed', value, bytes: state.bytes };
      return value;
    }
    return state.value;
  }

  /** As `reveal`; undefined where it was sealed for a person who was erased since. */
  revealUnlessErased(): T | undefined {
    try {
      return this.reveal();
    } catch (error) {
      if (error instanceof PersonErased) return undefined;
      throw error;
    }
  }

  /** As it is stored; undefined before it is sealed. */
  get bytes(): Buffer | undefined {
    return this.#state.kind === 'plain' ? undefined : this.#state.bytes;
  }

  /** For the subscriber: whose it is, while it is not sealed yet. */
  get person(): string | undefined {
    return this.#state.kind === 'plain' ? this.#state.person : undefined;
  }

  /** For the subscriber: on its way in, and not sealed yet. */
  get isPlain(): boolean {
    return this.#state.kind === 'plain';
  }

  /** For the subscriber: seals a value on its way in. */
  seal(seal: (value: T) => Buffer): void {
    if (this.#state.kind === 'plain') {
      this.#state = { kind: 'sealed', value: this.#state.value, bytes: seal(this.#state.value) };
    }
  }

  /** For the subscriber: gives a loaded value the means to open itself. */
  bind(open: (bytes: Buffer) => T): void {
    const state = this.#state;
    if (state.kind === 'stored')
      this.#state = { kind: 'bound', bytes: state.bytes, open: () => open(state.bytes) };
  }

  /**
   * What is written to the database. TypeORM asks for it before the subscriber has sealed the value too, to see whether
   * it changed: it then gets something that differs from anything stored and that pg cannot send.
   */
  ciphertext(): Buffer | Unsealed {
    return this.#state.kind === 'plain' ? new Unsealed() : this.#state.bytes;
  }

  toJSON(): string {
    return '[sealed]';
  }

  toString(): string {
    return '[sealed]';
  }

  [inspect.custom](): string {
    return '[sealed]';
  }
}

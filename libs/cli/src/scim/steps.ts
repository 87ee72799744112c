import type { Directory, Name } from './directory.js';
import type { Resource } from './resource.js';

export interface Step {
  readonly name: string;
  /** In words, for who reads the run. */
  readonly sends: string;
  readonly expects: string;
  /** Makes what it needs, so that it can be run alone. */
  readonly run: (directory: Directory) => Promise<void>;
}

export interface Provider {
  readonly title: string;
  readonly profile: (userName: string, name: Name) => Resource;
  readonly steps: readonly Step[];
}

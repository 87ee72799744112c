import type { Readable, Writable } from 'node:stream';

/** A started sandbox. Its only exits are the two streams; frames on them are the broker's protocol. */
export interface SandboxProcess {
  readonly toSandbox: Writable;
  readonly fromSandbox: Readable;
  /** Resolves once the process is gone, however it went; never rejects. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  /** Ends it at once. Safe to call more than once. */
  kill(): void;
}

export interface SandboxLimits {
  readonly memoryBytes: number;
}

/** Runs one agent host, isolated, for one run. A sandbox is never used twice. */
export abstract class Sandbox {
  abstract launch(limits: SandboxLimits): Promise<SandboxProcess>;
}

/** The result of a call that a run has finished. `fingerprint` tells whether a replay asks for the same call again. */
export interface Checkpoint {
  readonly call: number;
  readonly fingerprint: string;
  readonly result: unknown;
}

/** Where finished calls of one run are kept. A checkpoint is durable before the call's result reaches the sandbox. */
export interface Checkpoints {
  load(): Promise<readonly Checkpoint[]>;
  save(checkpoint: Checkpoint): Promise<void>;
}

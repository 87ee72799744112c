/** The result of a call that a run has finished. `fingerprint` tells whether a replay asks for the same call again. */
export interface Checkpoint {
  readonly call: number;
  readonly fingerprint: string;
  readonly result: unknown;
}

/** Where finished calls of one run are kept. A checkpoint is durable before the call's result reaches the sandbox. */
export interface Checkpoints {
  load(): Promise<readonly Checkpoint[]>;
  /**
   * `also` stores the event that the call is finished. Both are kept together or neither is: a run that is resumed has not
   * said of a call that it is finished if it makes it again.
   */
  save(checkpoint: Checkpoint, also: () => Promise<void>): Promise<void>;
}

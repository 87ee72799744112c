/** What was done to a log, as far as it can be told from what is left of it. */
export type Tampering =
  | 'event_altered'
  | 'hash_altered'
  | 'event_missing'
  | 'event_inserted'
  | 'truncated'
  | 'rewritten'
  | 'beginning_missing'
  | 'checkpoint_forged'
  | 'checkpoint_unheld'
  | 'checkpoint_missing'
  | 'publication_unproven'
  | 'malformed';

export interface Finding {
  readonly kind: Tampering;
  /** The first event that is not as it was written; absent where it is the checkpoint. */
  readonly seq?: number;
  readonly message: string;
}

export class Tampered extends Error {
  constructor(readonly finding: Finding) {
    super(finding.message);
  }
}

export function found(kind: Tampering, seq: number | undefined, message: string): never {
  throw new Tampered({ kind, ...(seq !== undefined && { seq }), message });
}

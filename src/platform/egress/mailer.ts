export interface Mail {
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
  /** The same whenever the mail is sent again, so that a reader's program can tell. */
  readonly messageId: string;
}

/** Sends mail through the installation's own server. Rejects where it was not taken. */
export abstract class Mailer {
  /** Whether the operator has named a server. */
  abstract readonly available: boolean;
  abstract send(mail: Mail): Promise<void>;
}

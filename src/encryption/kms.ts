/**
 * Where tenant keys live. The context is authenticated: a data key wrapped for one context does not unwrap for another.
 * Adapters: AWS KMS, and a local master key file (libs/infra/src/kms).
 */
export abstract class Kms {
  /** Makes the key of a new tenant; returns its id. */
  abstract createTenantKey(tenant: string): Promise<string>;
  /** A fresh 256-bit data key, in the clear and wrapped under the tenant's key. */
  abstract generateDataKey(
    keyId: string,
    context: Record<string, string>,
  ): Promise<{ plaintext: Buffer; wrapped: Buffer }>;
  /** Wraps a data key that there is already, for a tenant that moves here. */
  abstract encrypt(keyId: string, plaintext: Buffer, context: Record<string, string>): Promise<Buffer>;
  abstract decrypt(keyId: string, wrapped: Buffer, context: Record<string, string>): Promise<Buffer>;
  /** The id under which this key is known here: of a multi-Region key the related one in this region, else the same. */
  abstract keyHere(keyId: string): string;
  /**
   * Unusable from now on, destroyed after the days (7 to 30). A key that is condemned already, or destroyed, is refused
   * with the codes `key_pending_deletion` and `key_not_found`.
   */
  abstract scheduleKeyDeletion(keyId: string, waitingDays: number): Promise<void>;
}

/** The key management of each cell: what opens a tenant's data stays in its region. */
export class CellKms {
  constructor(private readonly byCell: ReadonlyMap<string, Kms>) {}

  of(cell: string): Kms {
    const kms = this.byCell.get(cell);
    if (!kms) throw new Error(`No cell of the name ${cell} is configured.`);
    return kms;
  }
}

import { OCSF_VERSION, PRODUCT, type OcsfEvent } from './ocsf.js';

/** A signed checkpoint of a log, as it is stored. */
export interface StoredCheckpoint {
  /** How many events it covers. */
  readonly size: number;
  /** C2SP tlog-checkpoint: root and signatures. */
  readonly note: string;
  readonly at: Date;
}

const NAME = 'audit.checkpoint';

/**
 * A checkpoint in OCSF: what arrived before it can be held against it by whoever has it, and by nobody changed. It is no
 * event of the log: it has a log name of its own, and its number is that of the last event that it covers.
 */
export function checkpointEvent(tenant: string, { size, note, at }: StoredCheckpoint): OcsfEvent {
  return {
    class_uid: 6003,
    category_uid: 6,
    activity_id: 99,
    type_uid: 600_399,
    severity_id: 1,
    status_id: 1,
    time: at.getTime(),
    message: 'A signed checkpoint of the log.',
    metadata: {
      version: OCSF_VERSION,
      product: PRODUCT,
      uid: `${tenant}/checkpoint/${size}`,
      sequence: size,
      event_code: NAME,
      tenant_uid: tenant,
      log_name: 'checkpoints',
    },
    actor: { user: { uid: 'checkpoints', type: 'system', type_id: 3 } },
    api: { operation: NAME },
    src_endpoint: { svc_name: 'waxell' },
    unmapped: { size, checkpoint: note },
  };
}

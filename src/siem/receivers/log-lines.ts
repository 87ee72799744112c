import type { OcsfEvent } from '../ocsf.js';
import type { Encoded, ReceiverLimits } from './receiver.js';

/** An event of CloudWatch Logs is at most 256 KiB, of which 26 bytes are its own. */
export const LINE_LIMITS: ReceiverLimits = { events: 1_000, bytes: 1_000_000, eventBytes: 262_118 };

/**
 * An event as a line of structured JSON, as CloudWatch Logs and other collectors of standard output take it: the time in
 * milliseconds, the name of the group and of the stream, and the event.
 */
export function logLine(event: OcsfEvent): Buffer {
  const { uid: eventId, tenant_uid: tenant } = event.metadata;
  const line = { timestamp: event.time, logGroup: 'waxell/audit', logStream: tenant, eventId, event };
  return Buffer.from(`${JSON.stringify(line)}\n`);
}

/** Resolves when the lines have left the process. */
export function writeLines(batch: readonly Encoded[], stream: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(Buffer.concat(batch.map(({ bytes }) => bytes)), (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

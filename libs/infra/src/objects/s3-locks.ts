import {
  HeadObjectCommand,
  NotFound,
  PutObjectLegalHoldCommand,
  PutObjectRetentionCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { requireObjectKey, type ObjectLock } from './object-key.js';
import { s3Call } from './s3-call.js';

/** How the objects of a bucket with Object Lock are locked: in COMPLIANCE mode, by which nobody is let pass, not even its owner. */
export class S3Locks {
  constructor(
    private readonly client: S3Client,
    private readonly bucket: string,
  ) {}

  /** How an object is locked; one that is not there is not. */
  of(key: string): Promise<ObjectLock> {
    requireObjectKey(key);
    return s3Call('tell the lock', async () => {
      try {
        const head = await this.client.send(new HeadObjectCommand({ Bucket: this.bucket, Key: key }));
        return {
          retainUntil: head.ObjectLockRetainUntilDate,
          legalHold: head.ObjectLockLegalHoldStatus === 'ON',
        };
      } catch (cause) {
        if (cause instanceof NotFound) return { retainUntil: undefined, legalHold: false };
        throw cause;
      }
    });
  }

  /** Makes the time longer; of no effect where it is as long already. */
  async extend(key: string, retainUntil: Date): Promise<void> {
    const lock = await this.of(key);
    if (lock.retainUntil && lock.retainUntil >= retainUntil) return;
    const Retention = { Mode: 'COMPLIANCE', RetainUntilDate: retainUntil } as const;
    await s3Call('lock', () =>
      this.client.send(new PutObjectRetentionCommand({ Bucket: this.bucket, Key: key, Retention })),
    );
  }

  async hold(key: string, legalHold: boolean): Promise<void> {
    requireObjectKey(key);
    const LegalHold = { Status: legalHold ? 'ON' : 'OFF' } as const;
    await s3Call('hold', () =>
      this.client.send(new PutObjectLegalHoldCommand({ Bucket: this.bucket, Key: key, LegalHold })),
    );
  }
}

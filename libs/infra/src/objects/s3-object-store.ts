import {
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectLockConfigurationCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { s3Call } from './s3-call.js';
import { S3Locks } from './s3-locks.js';
import { deleteVersions } from './s3-versions.js';
import {
  isLocked,
  ObjectLocked,
  ObjectStoreError,
  requireObjectKey,
  requireObjectPrefix,
  type ListOptions,
  type PutOptions,
} from './object-key.js';

export interface S3ObjectStoreOptions {
  readonly bucket: string;
  readonly region: string;
  /** Another endpoint than the region's own (MinIO, Garage, VPC endpoint, test). */
  readonly endpoint?: string;
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`; most servers but AWS need it. */
  readonly forcePathStyle?: boolean;
  /** The bucket has Object Lock, and so versions; see `hasObjectLock`. */
  readonly objectLock?: boolean;
  /** The KMS key (id, ARN or alias) that the server seals objects under: SSE-KMS, with a bucket key. */
  readonly kmsKeyId?: string;
  /** How long one try may take, in milliseconds; there are at most three. Default 30000. */
  readonly requestTimeoutMs?: number;
  /** Without it, the usual chain: environment, container, instance. */
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
}

const PAGE_LIMIT = 1_000;

/** Objects in a bucket of AWS S3 or a server that speaks its protocol. */
export class S3ObjectStore {
  readonly #bucket: string;
  readonly #client: S3Client;
  readonly #kmsKeyId: string | undefined;
  /** Undefined where the bucket cannot lock: then nothing in it is. */
  readonly locks: S3Locks | undefined;

  constructor(options: S3ObjectStoreOptions) {
    this.#bucket = options.bucket;
    this.#client = clientOf(options);
    this.#kmsKeyId = options.kmsKeyId;
    this.locks = options.objectLock === true ? new S3Locks(this.#client, options.bucket) : undefined;
  }

  /** Whether a bucket can lock objects. @throws {ObjectStoreError} where it does not say */
  static async hasObjectLock(options: S3ObjectStoreOptions): Promise<boolean> {
    const client = clientOf(options);
    try {
      const command = new GetObjectLockConfigurationCommand({ Bucket: options.bucket });
      const { ObjectLockConfiguration: found } = await client.send(command);
      return found?.ObjectLockEnabled === 'Enabled';
    } catch (cause) {
      const name = cause instanceof Error ? cause.name : 'unknown';
      if (['ObjectLockConfigurationNotFoundError', 'NotImplemented'].includes(name)) return false;
      throw new ObjectStoreError(`The object store does not say whether it can lock: ${name}`, { cause });
    } finally {
      client.destroy();
    }
  }

  async put(key: string, body: Buffer, options: PutOptions = {}): Promise<void> {
    requireObjectKey(key);
    const { contentType, retainUntil, legalHold } = options;
    if (!this.locks && (retainUntil || legalHold))
      throw new Error('A bucket without Object Lock cannot lock an object.');
    await s3Call('put', () =>
      this.#client.send(
        new PutObjectCommand({
          Bucket: this.#bucket,
          Key: key,
          Body: body,
          ContentType: contentType ?? 'application/octet-stream',
          ...(this.#kmsKeyId !== undefined && {
            ServerSideEncryption: 'aws:kms',
            SSEKMSKeyId: this.#kmsKeyId,
            BucketKeyEnabled: true,
          }),
          ...(retainUntil && { ObjectLockMode: 'COMPLIANCE', ObjectLockRetainUntilDate: retainUntil }),
          ...(legalHold && { ObjectLockLegalHoldStatus: 'ON' }),
        }),
      ),
    );
  }

  async get(key: string): Promise<Buffer | null> {
    requireObjectKey(key);
    return s3Call('get', async () => {
      try {
        const { Body } = await this.#client.send(new GetObjectCommand({ Bucket: this.#bucket, Key: key }));
        if (!Body) throw new Error('An answer without a body');
        return Buffer.from(await Body.transformToByteArray());
      } catch (cause) {
        // Only for the key: a missing bucket is an error of its own, and no reason to call an object absent.
        if (cause instanceof NoSuchKey) return null;
        throw cause;
      }
    });
  }

  /** Keys in the order of their bytes. */
  async list(prefix: string, options: ListOptions): Promise<string[]> {
    requireObjectPrefix(prefix);
    const found: string[] = [];
    let after = options.after;
    while (found.length < options.limit) {
      const wanted = Math.min(options.limit - found.length, PAGE_LIMIT);
      const page = await s3Call('list', () =>
        this.#client.send(
          new ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix: prefix,
            StartAfter: after,
            MaxKeys: wanted,
          }),
        ),
      );
      const keys = (page.Contents ?? []).flatMap((entry) => (entry.Key === undefined ? [] : [entry.Key]));
      found.push(...keys);
      after = keys.at(-1);
      if (page.IsTruncated !== true || after === undefined) break;
    }
    return found;
  }

  /** Bytes of all objects whose keys begin so. */
  async size(prefix: string): Promise<number> {
    requireObjectPrefix(prefix);
    let bytes = 0;
    for (let after: string | undefined, more = true; more;) {
      const input = { Bucket: this.#bucket, Prefix: prefix, StartAfter: after, MaxKeys: PAGE_LIMIT };
      const page = await s3Call('list', () => this.#client.send(new ListObjectsV2Command(input)));
      for (const { Size: size = 0 } of page.Contents ?? []) bytes += size;
      after = page.Contents?.at(-1)?.Key;
      more = page.IsTruncated === true && after !== undefined;
    }
    return bytes;
  }

  /** Also resolves when there is none. */
  async delete(key: string): Promise<void> {
    requireObjectKey(key);
    if (!this.locks) {
      const command = new DeleteObjectCommand({ Bucket: this.#bucket, Key: key });
      await s3Call('delete', () => this.#client.send(command));
      return;
    }
    // Where there are versions, deleting the object alone would only hide it.
    const lock = await this.locks.of(key);
    if (isLocked(lock)) throw new ObjectLocked(lock);
    await s3Call('delete', () => deleteVersions(this.#client, this.#bucket, key));
  }
}

function clientOf(options: S3ObjectStoreOptions): S3Client {
  return new S3Client({
    region: options.region,
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(options.credentials === undefined ? {} : { credentials: { ...options.credentials } }),
    forcePathStyle: options.forcePathStyle ?? false,
    maxAttempts: 3,
    requestHandler: {
      connectionTimeout: 1_000,
      requestTimeout: options.requestTimeoutMs ?? 30_000,
      // A body that stops coming in the middle.
      socketTimeout: options.requestTimeoutMs ?? 30_000,
      throwOnRequestTimeout: true,
    },
  });
}

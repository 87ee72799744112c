import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import {
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

  constructor(options: S3ObjectStoreOptions) {
    this.#bucket = options.bucket;
    this.#client = new S3Client({
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

  async put(key: string, body: Buffer, options: PutOptions = {}): Promise<void> {
    requireObjectKey(key);
    const { contentType } = options;
    await s3Call('put', () =>
      this.#client.send(
        new PutObjectCommand({
          Bucket: this.#bucket,
          Key: key,
          Body: body,
          ContentType: contentType ?? 'application/octet-stream',
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
    await s3Call('delete', () =>
      this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: key })),
    );
  }
}

async function s3Call<Answer>(operation: string, call: () => Promise<Answer>): Promise<Answer> {
  try {
    return await call();
  } catch (cause) {
    const name = cause instanceof Error ? cause.name : 'unknown';
    throw new ObjectStoreError(`The object store failed to ${operation}: ${name}`, { cause });
  }
}

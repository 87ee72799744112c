import {
  CancelKeyDeletionCommand,
  CreateKeyCommand,
  DecryptCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  KMSClient,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import { awsKmsCode } from './aws-kms-code.js';
import { KmsError, type DataKey, type KmsContext } from './kms-error.js';

export interface AwsKmsOptions {
  readonly region: string;
  /** Another endpoint than the region's own (VPC endpoint, test). */
  readonly endpoint?: string;
  /** How long one try may take, in milliseconds; there are at most three. Default 3000. */
  readonly requestTimeoutMs?: number;
  /** Without it, the usual chain: environment, container, instance. */
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
}

/** AWS KMS: a tenant's key is a KMS key of its own, which never leaves the service. */
export class AwsKms {
  readonly #client: KMSClient;
  readonly #region: string;

  constructor(options: AwsKmsOptions) {
    this.#region = options.region;
    this.#client = new KMSClient({
      region: options.region,
      ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
      ...(options.credentials === undefined ? {} : { credentials: { ...options.credentials } }),
      maxAttempts: 3,
      requestHandler: {
        connectionTimeout: 1_000,
        requestTimeout: options.requestTimeoutMs ?? 3_000,
        throwOnRequestTimeout: true,
      },
    });
  }

  async createTenantKey(tenantId: string): Promise<string> {
    const { KeyMetadata: created } = await kmsCall(() =>
      this.#client.send(
        new CreateKeyCommand({
          KeySpec: 'SYMMETRIC_DEFAULT',
          KeyUsage: 'ENCRYPT_DECRYPT',
          Description: `Waxell tenant ${tenantId}`,
          Tags: [{ TagKey: 'waxell:tenant', TagValue: tenantId }],
        }),
      ),
    );
    // The ARN and not the bare id: it says region and account as well, so a key is never looked for elsewhere.
    return present(created?.Arn);
  }

  async generateDataKey(keyId: string, context: KmsContext): Promise<DataKey> {
    const answer = await kmsCall(() =>
      this.#client.send(
        new GenerateDataKeyCommand({ KeyId: keyId, KeySpec: 'AES_256', EncryptionContext: { ...context } }),
      ),
    );
    return { plaintext: dataKey(answer.Plaintext), wrapped: Buffer.from(present(answer.CiphertextBlob)) };
  }

  /** Wraps a data key that there is already, as `generateDataKey` would have. */
  async encrypt(keyId: string, plaintext: Buffer, context: KmsContext): Promise<Buffer> {
    const answer = await kmsCall(() =>
      this.#client.send(
        new EncryptCommand({ KeyId: keyId, Plaintext: plaintext, EncryptionContext: { ...context } }),
      ),
    );
    return Buffer.from(present(answer.CiphertextBlob));
  }

  async decrypt(keyId: string, wrapped: Buffer, context: KmsContext): Promise<Buffer> {
    const answer = await kmsCall(() =>
      this.#client.send(
        // Naming the key makes KMS refuse a ciphertext of any other, ours included.
        new DecryptCommand({ KeyId: keyId, CiphertextBlob: wrapped, EncryptionContext: { ...context } }),
      ),
    );
    return dataKey(answer.Plaintext);
  }

  /** Multi-Region keys that are related have one id, which begins with `mrk-`, and an ARN in each region. */
  keyHere(keyId: string): string {
    const parts = keyId.split(':');
    if (parts[2] !== 'kms' || !parts[5]?.startsWith('key/mrk-')) return keyId;
    return parts.with(3, this.#region).join(':');
  }

  async disableKey(keyId: string): Promise<void> {
    await kmsCall(() => this.#client.send(new DisableKeyCommand({ KeyId: keyId })));
  }

  async enableKey(keyId: string): Promise<void> {
    await kmsCall(() => this.#client.send(new EnableKeyCommand({ KeyId: keyId })));
  }

  /** Unusable from now on; AWS destroys the key when the days (7 to 30) are over. */
  async scheduleKeyDeletion(keyId: string, waitingDays: number): Promise<void> {
    if (!Number.isInteger(waitingDays) || waitingDays < 7 || waitingDays > 30) {
      throw new RangeError('A key waits 7 to 30 days for its deletion');
    }
    const command = new ScheduleKeyDeletionCommand({ KeyId: keyId, PendingWindowInDays: waitingDays });
    await kmsCall(() => this.#client.send(command));
  }

  /** Leaves the key disabled. */
  async cancelKeyDeletion(keyId: string): Promise<void> {
    await kmsCall(() => this.#client.send(new CancelKeyDeletionCommand({ KeyId: keyId })));
  }
}

async function kmsCall<Answer>(call: () => Promise<Answer>): Promise<Answer> {
  try {
    return await call();
  } catch (cause) {
    const name = cause instanceof Error ? cause.name : 'unknown';
    throw new KmsError(awsKmsCode(cause), `AWS KMS refused: ${name}`, { cause });
  }
}

function present<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new KmsError('unavailable', 'AWS KMS sent an incomplete answer');
  return value;
}

function dataKey(plaintext: Uint8Array | undefined): Buffer {
  const key = Buffer.from(present(plaintext));
  if (key.length !== 32) throw new KmsError('unavailable', 'AWS KMS sent a key of another length');
  return key;
}

import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { startFakeServer, type FakeAnswer } from './http-server.js';
import { signatureFault, type FakeCredentials } from './sigv4.js';

const REGION = 'eu-central-1';
const ACCOUNT = '111122223333';
const CUSTOMER = '444455556666';

export type FakeKeyState = 'Enabled' | 'Disabled' | 'PendingDeletion' | 'Unavailable';

interface FakeKey {
  readonly arn: string;
  readonly material: Buffer;
  readonly description: string;
  readonly tags: unknown;
  state: FakeKeyState;
  /** The caller may not use it, as after a grant was taken back. */
  denied: boolean;
}

interface KmsRequest {
  readonly KeyId?: string;
  readonly KeySpec?: string;
  readonly CiphertextBlob?: string;
  readonly Plaintext?: string;
  readonly EncryptionContext?: Readonly<Record<string, string>>;
  readonly Description?: string;
  readonly Tags?: unknown;
  readonly PendingWindowInDays?: number;
}

export interface FakeKms {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: FakeCredentials;
  /** Operations in order of arrival. */
  readonly calls: string[];
  /** Descriptions and tags of the keys it has, by ARN. */
  describe(arn: string): { readonly description: string; readonly tags: unknown } | undefined;
  /** How many requests of an operation there were; of all of them without a name. */
  count(operation?: string): number;
  /** Makes a key in a customer's account; answers its ARN. */
  newKey(): string;
  /** Puts a key into a state, as its administrator does. */
  setState(arn: string, state: FakeKeyState): void;
  /** Takes the right to use a key away, or gives it back. */
  deny(arn: string, denied: boolean): void;
  /** The end of a key's waiting time. */
  destroy(arn: string): void;
  /** Every answer is this late. */
  delay(milliseconds: number): void;
  /** Requests beyond so many in a second are refused with a ThrottlingException. */
  throttleAbove(perSecond: number): void;
  /** The next requests get this fate. 'hang' never answers. */
  fail(how: 'hang' | 'internal' | 'throttle', times: number): void;
  close(): Promise<void>;
}

/** Thrown by an operation, and sent as KMS sends errors. */
class Refusal extends Error {
  readonly type: string;
  constructor(type: string, message: string) {
    super(message);
    this.type = type;
  }
}

/** AWS KMS's JSON 1.1 protocol, with real keys, real AES and the real one's refusals. */
export async function startFakeKms({
  everyRegion = false,
}: {
  /** Answers as the KMS of whichever region is asked: one fake for the cells of several. */
  everyRegion?: boolean;
} = {}): Promise<FakeKms> {
  const credentials = { accessKeyId: 'AKIDFAKE', secretAccessKey: randomBytes(20).toString('hex') };
  const keys = new Map<string, FakeKey>();
  const calls: string[] = [];
  let latency = 0;
  let limit = Infinity;
  let second = { at: 0, requests: 0 };
  let failure: { how: 'hang' | 'internal' | 'throttle'; left: number } | undefined;

  function find(keyId: string | undefined): FakeKey {
    const key = keyId === undefined ? undefined : keys.get(keyId.slice(keyId.lastIndexOf('/') + 1));
    if (!key) throw new Refusal('NotFoundException', `Key '${keyId}' does not exist`);
    return key;
  }

  function usable(keyId: string | undefined): FakeKey {
    const key = find(keyId);
    if (key.denied)
      throw new Refusal('AccessDeniedException', 'The ciphertext refers to a key that you may not use');
    if (key.state === 'Unavailable')
      throw new Refusal('KMSInvalidStateException', `${key.arn} is unavailable.`);
    if (key.state === 'Disabled') throw new Refusal('DisabledException', `${key.arn} is disabled.`);
    if (key.state === 'PendingDeletion') {
      throw new Refusal('KMSInvalidStateException', `${key.arn} is pending deletion.`);
    }
    return key;
  }

  function create({ Description = '', Tags }: KmsRequest, account = ACCOUNT): FakeKey {
    const id = randomUUID();
    const arn = `arn:aws:kms:${REGION}:${account}:key/${id}`;
    const key: FakeKey = {
      arn,
      material: randomBytes(32),
      description: Description,
      tags: Tags,
      state: 'Enabled',
      denied: false,
    };
    keys.set(id, key);
    return key;
  }

  /** Whether this request is one too many in its second. */
  function throttled(): boolean {
    const at = Math.floor(Date.now() / 1_000);
    second = { at, requests: second.at === at ? second.requests + 1 : 1 };
    return second.requests > limit;
  }

  const metadata = (key: FakeKey) => ({
    KeyMetadata: { Arn: key.arn, KeyId: key.arn.slice(key.arn.lastIndexOf('/') + 1), KeyState: key.state },
  });

  const operations: Record<string, (input: KmsRequest) => object> = {
    CreateKey: (input) => metadata(create(input)),
    DescribeKey: (input) => metadata(find(input.KeyId)),
    GenerateDataKey: (input) => {
      const key = usable(input.KeyId);
      if (input.KeySpec !== 'AES_256') throw new Refusal('ValidationException', 'KeySpec');
      const plaintext = randomBytes(32);
      const wrapped = wrap(key, plaintext, input.EncryptionContext);
      return {
        KeyId: key.arn,
        Plaintext: plaintext.toString('base64'),
        CiphertextBlob: wrapped.toString('base64'),
      };
    },
    Encrypt: (input) => {
      const key = usable(input.KeyId);
      const plaintext = Buffer.from(input.Plaintext ?? '', 'base64');
      return {
        KeyId: key.arn,
        CiphertextBlob: wrap(key, plaintext, input.EncryptionContext).toString('base64'),
      };
    },
    Decrypt: (input) => {
      const blob = Buffer.from(input.CiphertextBlob ?? '', 'base64');
      const length = blob[0] ?? 0;
      const holder = keys.get(blob.subarray(1, 1 + length).toString());
      // The real one checks the named key first, then whether the ciphertext is its own.
      const key = usable(input.KeyId ?? holder?.arn);
      if (!holder) throw new Refusal('InvalidCiphertextException', '');
      if (holder !== key)
        throw new Refusal('IncorrectKeyException', 'The key ID in the request does not identify the key');
      return { KeyId: key.arn, Plaintext: unwrap(key, blob, input.EncryptionContext).toString('base64') };
    },
    DisableKey: (input) => change(input.KeyId, 'Disabled'),
    EnableKey: (input) => change(input.KeyId, 'Enabled'),
    ScheduleKeyDeletion: (input) => {
      const days = input.PendingWindowInDays ?? 30;
      if (days < 7 || days > 30) throw new Refusal('ValidationException', 'PendingWindowInDays');
      change(input.KeyId, 'PendingDeletion');
      return { KeyId: find(input.KeyId).arn, KeyState: 'PendingDeletion', PendingWindowInDays: days };
    },
    CancelKeyDeletion: (input) => {
      const key = find(input.KeyId);
      if (key.state !== 'PendingDeletion') {
        throw new Refusal('KMSInvalidStateException', `${key.arn} is not pending deletion.`);
      }
      key.state = 'Disabled';
      return { KeyId: key.arn };
    },
  };

  function change(keyId: string | undefined, state: FakeKey['state']): object {
    const key = find(keyId);
    if (key.state === 'PendingDeletion') {
      throw new Refusal('KMSInvalidStateException', `${key.arn} is pending deletion.`);
    }
    key.state = state;
    return {};
  }

  const server = await startFakeServer(async (request, body) => {
    const operation = String(request.headers['x-amz-target']).replace(/^TrentService\./, '');
    calls.push(operation);
    if (latency > 0) await sleep(latency);
    if (throttled()) return refuse(400, 'ThrottlingException', 'Rate exceeded');
    if (failure && failure.left-- > 0) {
      if (failure.how === 'hang') return null;
      return failure.how === 'internal'
        ? refuse(500, 'KMSInternalException', 'try again')
        : refuse(400, 'ThrottlingException', 'Rate exceeded');
    }
    const fault = signatureFault(request, body, {
      credentials,
      region: everyRegion ? askedRegion(request) : REGION,
      service: 'kms',
    });
    if (fault === 'MissingAuthenticationToken')
      return refuse(400, 'MissingAuthenticationTokenException', fault);
    if (fault === 'UnrecognizedClient') return refuse(400, 'UnrecognizedClientException', fault);
    if (fault !== null) return refuse(400, 'InvalidSignatureException', fault);
    const handle = operations[operation];
    if (!handle) return refuse(400, 'UnknownOperationException', operation);
    try {
      const input: KmsRequest = JSON.parse(body.toString());
      return json(200, handle(input));
    } catch (error) {
      if (error instanceof Refusal) return refuse(400, error.type, error.message);
      throw error;
    }
  });

  return {
    endpoint: server.url,
    region: REGION,
    credentials,
    calls,
    describe: (arn) => keys.get(arn.slice(arn.lastIndexOf('/') + 1)),
    count: (operation) => calls.filter((call) => operation === undefined || call === operation).length,
    newKey: () => create({}, CUSTOMER).arn,
    setState: (arn, state) => {
      find(arn).state = state;
    },
    deny: (arn, denied) => {
      find(arn).denied = denied;
    },
    destroy: (arn) => {
      keys.delete(arn.slice(arn.lastIndexOf('/') + 1));
    },
    delay: (milliseconds) => {
      latency = milliseconds;
    },
    throttleAbove: (perSecond) => {
      limit = perSecond;
    },
    fail: (how, times) => {
      failure = { how, left: times };
    },
    close: () => server.close(),
  };
}

function aad(context: Readonly<Record<string, string>> = {}): Buffer {
  return Buffer.from(JSON.stringify(Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** Key id (with its length), nonce, ciphertext, tag. */
function wrap(key: FakeKey, plaintext: Buffer, context: KmsRequest['EncryptionContext']): Buffer {
  const id = Buffer.from(key.arn.slice(key.arn.lastIndexOf('/') + 1));
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key.material, nonce).setAAD(aad(context));
  return Buffer.concat([
    Buffer.of(id.length),
    id,
    nonce,
    cipher.update(plaintext),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
}

function unwrap(key: FakeKey, blob: Buffer, context: KmsRequest['EncryptionContext']): Buffer {
  const rest = blob.subarray(1 + (blob[0] ?? 0));
  try {
    const decipher = createDecipheriv('aes-256-gcm', key.material, rest.subarray(0, 12))
      .setAAD(aad(context))
      .setAuthTag(rest.subarray(-16));
    return Buffer.concat([decipher.update(rest.subarray(12, -16)), decipher.final()]);
  } catch {
    throw new Refusal('InvalidCiphertextException', '');
  }
}

/** The region that a request is signed for. */
function askedRegion({ headers }: IncomingMessage): string {
  return /Credential=[^/]+\/\d{8}\/([^/]+)\/kms\//.exec(headers.authorization ?? '')?.[1] ?? '';
}

function json(status: number, content: object): FakeAnswer {
  return { status, headers: { 'content-type': 'application/x-amz-json-1.1' }, body: JSON.stringify(content) };
}

function refuse(status: number, type: string, message: string): FakeAnswer {
  return json(status, { __type: type, message });
}

import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { startFakeServer, type FakeAnswer } from './http-server.js';
import { FakeKeys, Refusal, wrap, type FakeKeyState, type KeyContext, type NewFakeKey } from './kms-keys.js';
import { signatureFault, type FakeCredentials } from './sigv4.js';

export type { FakeKeyState } from './kms-keys.js';

const REGION = 'eu-central-1';

interface KmsRequest {
  readonly KeyId?: string;
  readonly KeySpec?: string;
  readonly CiphertextBlob?: string;
  readonly Plaintext?: string;
  readonly EncryptionContext?: KeyContext;
  readonly Description?: string;
  readonly Tags?: unknown;
  readonly PendingWindowInDays?: number;
}

/** What becomes of a request: never answered, or an error of the service's. */
type Fate = 'hang' | 'internal' | 'throttle' | { readonly status: number; readonly type: string };

export interface FakeKms {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: FakeCredentials;
  /** Operations in order of arrival. */
  readonly calls: string[];
  /** The encryption contexts of what was made, wrapped and opened, in order of arrival. */
  readonly contexts: KeyContext[];
  /** Descriptions and tags of the keys it has, by ARN. */
  describe(arn: string): { readonly description: string; readonly tags: unknown } | undefined;
  /** How many requests of an operation there were; of all of them without a name. */
  count(operation?: string): number;
  /** The most requests that it has had at once. */
  atOnce(): number;
  /** Makes a key in a customer's account; answers its ARN. */
  newKey(options?: Partial<Pick<NewFakeKey, 'region' | 'multiRegion' | 'usage'>>): string;
  /** Makes the related key in another region of one that may have any; answers its ARN. */
  replicate(arn: string, region: string): string;
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
  fail(how: Fate, times: number): void;
  close(): Promise<void>;
}

/** AWS KMS's JSON 1.1 protocol, with real keys, real AES and the real one's refusals. */
export async function startFakeKms({
  everyRegion = false,
}: {
  /** Answers as the KMS of whichever region is asked: one fake for the cells of several. */
  everyRegion?: boolean;
} = {}): Promise<FakeKms> {
  const credentials = { accessKeyId: 'AKIDFAKE', secretAccessKey: randomBytes(20).toString('hex') };
  const keys = new FakeKeys();
  const calls: string[] = [];
  const contexts: KeyContext[] = [];
  let latency = 0;
  const load = { now: 0, most: 0 };
  let limit = Infinity;
  let second = { at: 0, requests: 0 };
  let failure: { how: Fate; left: number } | undefined;

  /** Whether this request is one too many in its second. */
  function throttled(): boolean {
    const at = Math.floor(Date.now() / 1_000);
    second = { at, requests: second.at === at ? second.requests + 1 : 1 };
    return second.requests > limit;
  }

  const operations: Record<string, (input: KmsRequest, region: string) => object> = {
    CreateKey: ({ Description: description = '', Tags: tags }, region) =>
      metadata(keys.create({ region, description, tags })),
    DescribeKey: ({ KeyId }, region) => metadata(keys.find(KeyId, region)),
    GenerateDataKey: (input, region) => {
      const key = keys.usable(input.KeyId, region);
      if (input.KeySpec !== 'AES_256') throw new Refusal('ValidationException', 'KeySpec');
      const plaintext = randomBytes(32);
      const blob = wrap(key, plaintext, input.EncryptionContext);
      return {
        KeyId: key.arn,
        Plaintext: plaintext.toString('base64'),
        CiphertextBlob: blob.toString('base64'),
      };
    },
    Encrypt: (input, region) => {
      const key = keys.usable(input.KeyId, region);
      const blob = wrap(key, Buffer.from(input.Plaintext ?? '', 'base64'), input.EncryptionContext);
      return { KeyId: key.arn, CiphertextBlob: blob.toString('base64') };
    },
    Decrypt: ({ CiphertextBlob = '', KeyId, EncryptionContext }, region) => {
      const blob = Buffer.from(CiphertextBlob, 'base64');
      const { key, plaintext } = keys.unwrap(blob, KeyId, region, EncryptionContext);
      return { KeyId: key.arn, Plaintext: plaintext.toString('base64') };
    },
    DisableKey: ({ KeyId }, region) => keys.switch(KeyId, region, 'Disabled'),
    EnableKey: ({ KeyId }, region) => keys.switch(KeyId, region, 'Enabled'),
    ScheduleKeyDeletion: ({ KeyId, PendingWindowInDays = 30 }, region) =>
      keys.condemn(KeyId, region, PendingWindowInDays),
    CancelKeyDeletion: ({ KeyId }, region) => keys.pardon(KeyId, region),
  };

  const server = await startFakeServer(async (request, body) => {
    const operation = String(request.headers['x-amz-target']).replace(/^TrentService\./, '');
    calls.push(operation);
    load.now += 1;
    load.most = Math.max(load.most, load.now);
    if (latency > 0) await sleep(latency);
    load.now -= 1;
    if (throttled()) return refuse(400, 'ThrottlingException', 'Rate exceeded');
    if (failure && failure.left-- > 0) {
      if (failure.how === 'hang') return null;
      if (typeof failure.how === 'object') return refuse(failure.how.status, failure.how.type, '');
      return failure.how === 'internal'
        ? refuse(500, 'KMSInternalException', 'try again')
        : refuse(400, 'ThrottlingException', 'Rate exceeded');
    }
    const region = everyRegion ? askedRegion(request) : REGION;
    const fault = signatureFault(request, body, { credentials, region, service: 'kms' });
    if (fault === 'MissingAuthenticationToken')
      return refuse(400, 'MissingAuthenticationTokenException', fault);
    if (fault === 'UnrecognizedClient') return refuse(400, 'UnrecognizedClientException', fault);
    if (fault !== null) return refuse(400, 'InvalidSignatureException', fault);
    const handle = operations[operation];
    if (!handle) return refuse(400, 'UnknownOperationException', operation);
    try {
      const input: KmsRequest = JSON.parse(body.toString());
      if (input.EncryptionContext) contexts.push(input.EncryptionContext);
      return json(200, handle(input, region));
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
    contexts,
    describe: (arn) => keys.describe(arn),
    count: (operation) => calls.filter((call) => operation === undefined || call === operation).length,
    atOnce: () => load.most,
    newKey: ({ region = REGION, ...options } = {}) => keys.create({ ...options, region, customer: true }).arn,
    replicate: (arn, region) => keys.replicate(arn, region),
    setState: (arn, state) => {
      keys.byArn(arn).state = state;
    },
    deny: (arn, denied) => {
      keys.byArn(arn).denied = denied;
    },
    destroy: (arn) => keys.destroy(arn),
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

function metadata({ arn, state }: { readonly arn: string; readonly state: FakeKeyState }): object {
  return { KeyMetadata: { Arn: arn, KeyId: arn.slice(arn.lastIndexOf('/') + 1), KeyState: state } };
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

import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { crc32 } from 'node:zlib';
import { startFakeServer, type FakeAnswer } from './http-server.js';
import { Bucket, etagOf, Refused, type Version } from './s3-bucket.js';
import { signatureFault, type FakeCredentials } from './sigv4.js';

const REGION = 'eu-central-1';
const LOCK = 'x-amz-object-lock-';

export interface FakeS3 {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly credentials: FakeCredentials;
  /** Method and path of each request, in order of arrival. */
  readonly calls: string[];
  contentTypeOf(key: string): string | undefined;
  /** What is in it, for who tampers with it from outside. */
  readonly content: Bucket;
  /** The next requests get this fate. 'hang' never answers. */
  fail(how: 'hang' | 'internal' | 'slow-down', times: number): void;
  close(): Promise<void>;
}

/** S3's protocol for whole objects, path style, with real signatures and checksums. Lists at most three keys a page. */
export async function startFakeS3({
  objectLock = false,
  kmsKeys = [] as readonly string[],
} = {}): Promise<FakeS3> {
  const credentials = { accessKeyId: 'AKIDFAKE', secretAccessKey: randomBytes(20).toString('hex') };
  const bucket = 'fake-bucket';
  const content = new Bucket(objectLock);
  const calls: string[] = [];
  let failure: { how: 'hang' | 'internal' | 'slow-down'; left: number } | undefined;

  const server = await startFakeServer((request, body) => {
    const url = new URL(request.url ?? '/', 'http://fake');
    calls.push(`${request.method} ${url.pathname}`);
    if (failure && failure.left-- > 0) {
      if (failure.how === 'hang') return null;
      return failure.how === 'internal' ? refuse(500, 'InternalError') : refuse(503, 'SlowDown');
    }
    const fault = signatureFault(request, body, { credentials, region: REGION, service: 's3' });
    if (fault === 'MissingAuthenticationToken') return refuse(403, 'AccessDenied');
    if (fault !== null) return refuse(403, 'SignatureDoesNotMatch', fault);
    const [, named, ...rest] = url.pathname.split('/').map(decodeURIComponent);
    if (named !== bucket) return refuse(404, 'NoSuchBucket');
    const key = rest.join('/');
    try {
      return key === ''
        ? ofBucket(content, url.searchParams)
        : ofObject({ content, kmsKeys }, key, request, url.searchParams, body);
    } catch (error) {
      if (error instanceof Refused) return refuse(error.status, error.code);
      throw error;
    }
  });

  return {
    endpoint: server.url,
    region: REGION,
    bucket,
    credentials,
    calls,
    content,
    contentTypeOf: (key) => content.version(key)?.contentType,
    fail: (how, times) => {
      failure = { how, left: times };
    },
    close: () => server.close(),
  };
}

function ofBucket(content: Bucket, query: URLSearchParams): FakeAnswer {
  if (query.has('object-lock')) {
    if (!content.locking) return refuse(404, 'ObjectLockConfigurationNotFoundError');
    return xml(
      200,
      '<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>',
    );
  }
  const prefix = query.get('prefix') ?? '';
  if (query.has('versions')) return versionsOf(content, prefix);
  if (query.get('list-type') !== '2') return refuse(501, 'NotImplemented');
  const limit = Math.min(Number(query.get('max-keys') ?? 1_000), 3);
  const keys = content.keys(prefix, query.get('start-after') ?? '');
  const entries = keys.slice(0, limit).map((key) => {
    return `<Contents><Key>${key}</Key><Size>${content.version(key)?.body.length ?? 0}</Size></Contents>`;
  });
  const truncated = `<IsTruncated>${keys.length > limit}</IsTruncated>`;
  return xml(200, `<ListBucketResult>${truncated}${entries.join('')}</ListBucketResult>`);
}

function versionsOf(content: Bucket, prefix: string): FakeAnswer {
  const entries = content.versions(prefix).map(({ key, version, latest }) => {
    const tag = version.marker ? 'DeleteMarker' : 'Version';
    return `<${tag}><Key>${key}</Key><VersionId>${version.id}</VersionId><IsLatest>${latest}</IsLatest></${tag}>`;
  });
  return xml(
    200,
    `<ListVersionsResult><IsTruncated>false</IsTruncated>${entries.join('')}</ListVersionsResult>`,
  );
}

function ofObject(
  { content, kmsKeys }: { readonly content: Bucket; readonly kmsKeys: readonly string[] },
  key: string,
  { method = '', headers }: IncomingMessage,
  query: URLSearchParams,
  body: Buffer,
): FakeAnswer {
  const id = query.get('versionId');
  const [, text = ''] = /<(?:RetainUntilDate|Status)>([^<]*)</.exec(body.toString()) ?? [];
  if (method === 'PUT' && query.has('retention')) {
    content.retain(key, id, text === '' ? undefined : new Date(text));
    return { status: 200 };
  }
  if (method === 'PUT' && query.has('legal-hold')) {
    content.hold(key, id, text === 'ON');
    return { status: 200 };
  }
  if (method === 'PUT') {
    if (headers['x-amz-checksum-crc32'] !== crcOf(body)) return refuse(400, 'BadDigest');
    const until = headers[`${LOCK}retain-until-date`];
    const hold = headers[`${LOCK}legal-hold`] === 'ON';
    if ((until === undefined) !== (headers[`${LOCK}mode`] !== 'COMPLIANCE'))
      return refuse(400, 'InvalidArgument');
    const lock = { hold, ...(until !== undefined && { until: new Date(String(until)) }) };
    const sealing = sealingOf(headers);
    if (sealing && !kmsKeys.includes(sealing.key)) return refuse(400, 'KMS.NotFoundException');
    content.put(key, body, headers['content-type'] ?? '', lock).sealedUnder = sealing;
    return { status: 200, headers: { etag: etagOf(body) } };
  }
  if (method === 'DELETE') {
    content.delete(key, id);
    return { status: 204 };
  }
  const version = content.version(key, id);
  if (method === 'HEAD') return version ? { status: 200, headers: headersOf(version) } : { status: 404 };
  if (method !== 'GET') return refuse(405, 'MethodNotAllowed');
  return version
    ? { status: 200, headers: headersOf(version), body: version.body }
    : refuse(404, 'NoSuchKey');
}

/** SSE-KMS as it is asked for; only with a key, as without one S3 would take the account's own. */
function sealingOf(headers: IncomingMessage['headers']): Version['sealedUnder'] {
  const asked = 'x-amz-server-side-encryption';
  if (headers[asked] !== 'aws:kms') return undefined;
  const bucketKey = headers[`${asked}-bucket-key-enabled`] === 'true';
  return { key: String(headers[`${asked}-aws-kms-key-id`]), bucketKey };
}

function headersOf({ contentType, retainUntil, hold }: Version): Record<string, string> {
  return {
    'content-type': contentType,
    ...(retainUntil && {
      [`${LOCK}mode`]: 'COMPLIANCE',
      [`${LOCK}retain-until-date`]: retainUntil.toISOString(),
    }),
    ...(hold && { [`${LOCK}legal-hold`]: 'ON' }),
  };
}

function crcOf(body: Buffer): string {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return sum.toString('base64');
}

function xml(status: number, content: string): FakeAnswer {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n${content}`;
  return { status, headers: { 'content-type': 'application/xml' }, body };
}

function refuse(status: number, code: string, message = code): FakeAnswer {
  return xml(status, `<Error><Code>${code}</Code><Message>${message}</Message></Error>`);
}

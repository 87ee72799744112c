import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { startFakeServer, type FakeAnswer } from './http-server.js';
import { signatureFault, type FakeCredentials } from './sigv4.js';

const REGION = 'eu-central-1';

export interface FakeS3 {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly credentials: FakeCredentials;
  /** Method and path of each request, in order of arrival. */
  readonly calls: string[];
  contentTypeOf(key: string): string | undefined;
  /** The next requests get this fate. 'hang' never answers. */
  fail(how: 'hang' | 'internal' | 'slow-down', times: number): void;
  close(): Promise<void>;
}

/** S3's protocol for whole objects, path style, with real signatures and checksums. Lists at most three keys a page. */
export async function startFakeS3(): Promise<FakeS3> {
  const credentials = { accessKeyId: 'AKIDFAKE', secretAccessKey: randomBytes(20).toString('hex') };
  const bucket = 'fake-bucket';
  const objects = new Map<string, { readonly body: Buffer; readonly contentType: string }>();
  const calls: string[] = [];
  let failure: { how: 'hang' | 'internal' | 'slow-down'; left: number } | undefined;

  function list(query: URLSearchParams): FakeAnswer {
    const prefix = query.get('prefix') ?? '';
    const after = query.get('start-after') ?? '';
    const limit = Math.min(Number(query.get('max-keys') ?? 1_000), 3);
    const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
    const contents = keys
      .slice(0, limit)
      .map(
        (key) => `<Contents><Key>${key}</Key><Size>${objects.get(key)?.body.length ?? 0}</Size></Contents>`,
      );
    const truncated = keys.length > limit;
    return xml(
      200,
      `<ListBucketResult><Name>${bucket}</Name><IsTruncated>${truncated}</IsTruncated>${contents.join('')}</ListBucketResult>`,
    );
  }

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
    if (key === '')
      return url.searchParams.get('list-type') === '2'
        ? list(url.searchParams)
        : refuse(501, 'NotImplemented');
    switch (request.method ?? '') {
      case 'PUT': {
        const sum = Buffer.alloc(4);
        sum.writeUInt32BE(crc32(body));
        const stated = request.headers['x-amz-checksum-crc32'];
        if (stated !== sum.toString('base64')) return refuse(400, 'BadDigest');
        objects.set(key, { body, contentType: request.headers['content-type'] ?? '' });
        return { status: 200, headers: { etag: `"${createHash('md5').update(body).digest('hex')}"` } };
      }
      case 'GET': {
        const object = objects.get(key);
        if (!object) return refuse(404, 'NoSuchKey');
        return { status: 200, headers: { 'content-type': object.contentType }, body: object.body };
      }
      case 'DELETE':
        objects.delete(key);
        return { status: 204 };
      default:
        return refuse(405, 'MethodNotAllowed');
    }
  });

  return {
    endpoint: server.url,
    region: REGION,
    bucket,
    credentials,
    calls,
    contentTypeOf: (key) => objects.get(key)?.contentType,
    fail: (how, times) => {
      failure = { how, left: times };
    },
    close: () => server.close(),
  };
}

function xml(status: number, content: string): FakeAnswer {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n${content}`;
  return { status, headers: { 'content-type': 'application/xml' }, body };
}

function refuse(status: number, code: string, message = code): FakeAnswer {
  return xml(status, `<Error><Code>${code}</Code><Message>${message}</Message></Error>`);
}

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

export interface FakeCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');
const hmac = (key: Buffer | string, text: string) => createHmac('sha256', key).update(text).digest();

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/**
 * Checks a request's signature as AWS does (Signature Version 4, "Create a signed AWS API request"). Null when it is
 * right, else why not.
 */
export function signatureFault(
  request: IncomingMessage,
  body: Buffer,
  expected: { readonly credentials: FakeCredentials; readonly region: string; readonly service: string },
): string | null {
  const given =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      request.headers.authorization ?? '',
    );
  if (!given) return 'MissingAuthenticationToken';
  const [, accessKeyId = '', day = '', region = '', service = '', signedHeaders = '', signature = ''] = given;
  if (accessKeyId !== expected.credentials.accessKeyId) return 'UnrecognizedClient';
  if (region !== expected.region || service !== expected.service) return 'wrong scope';
  const date = String(request.headers['x-amz-date']);
  const [, y, m, d, h, min, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date) ?? [];
  const age = Math.abs(Date.now() - Date.parse(`${y}-${m}-${d}T${h}:${min}:${s}Z`));
  if (!date.startsWith(day) || !(age < 15 * 60_000)) return 'request time too far from now';
  if (!signedHeaders.split(';').includes('host')) return 'host is not signed';

  const stated = request.headers['x-amz-content-sha256'];
  if (service === 's3' && stated === undefined) return 'no content hash';
  if (stated !== undefined && stated !== sha256(body)) return 'content hash does not match';

  const url = new URL(request.url ?? '/', 'http://fake');
  const query = [...url.searchParams].map(([name, value]) => `${encode(name)}=${encode(value)}`).sort();
  // S3 signs the path as it is sent, the others encode it once more; for "/" it is the same.
  const canonical = [
    request.method,
    url.pathname,
    query.join('&'),
    ...signedHeaders.split(';').map(
      (name) =>
        `${name}:${String(request.headers[name] ?? '')
          .trim()
          .replace(/ +/g, ' ')}`,
    ),
    '',
    signedHeaders,
    stated ?? sha256(body),
  ].join('\n');
  const scope = `${day}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n');
  const key = [region, service, 'aws4_request'].reduce<Buffer>(
    (key, part) => hmac(key, part),
    hmac(`AWS4${expected.credentials.secretAccessKey}`, day),
  );
  const right = timingSafeEqual(hmac(key, toSign), Buffer.from(signature, 'hex'));
  return right ? null : 'SignatureDoesNotMatch';
}

import { hash, timingSafeEqual } from 'node:crypto';
import { addressOf, siteOf } from '../limits/index.js';
import { currentRequest, type RequestContext } from '../platform/http/request-context.js';
import type { SignInRules } from '../platform/http/tenant-rules.js';

type Binding = SignInRules['binding'];
type Caller = Pick<RequestContext, 'ip' | 'userAgent'>;

/** What a session belongs to, by each of the bindings that an organisation may choose: which of them counts may change. */
export type Fingerprints = Readonly<Record<Binding, Buffer | null>>;

/** SHA-256 over the browser and, unless `off`, the caller's address or its network. */
export function fingerprintOf({ ip, userAgent }: Caller, binding: Binding): Buffer {
  const place = { exact: () => addressOf(ip), network: () => siteOf(ip), off: () => '' }[binding]();
  return hash('sha256', JSON.stringify([place, userAgent]), 'buffer');
}

export function fingerprintsOf(caller: Caller): Record<Binding, Buffer> {
  return {
    exact: fingerprintOf(caller, 'exact'),
    network: fingerprintOf(caller, 'network'),
    off: fingerprintOf(caller, 'off'),
  };
}

/** Network and browser of the request that is being served: what sign-ins are remembered and counted by. */
export function placeOf(): Buffer {
  const request = currentRequest();
  if (!request) throw new Error('No request is being served.');
  return fingerprintOf(request, 'network');
}

/** The browser of the request that is being served, wherever it is. */
export function deviceOf(): Buffer {
  const request = currentRequest();
  if (!request) throw new Error('No request is being served.');
  return fingerprintOf(request, 'off');
}

/** Whether a caller is where the session began, as far as the organisation asks for that. */
export function isBoundTo(bound: Fingerprints, caller: Caller, binding: Binding): boolean {
  const expected = bound[binding];
  return expected !== null && timingSafeEqual(expected, fingerprintOf(caller, binding));
}

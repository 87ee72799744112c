import { readEvent, type EventBody, type ExportedEvent } from '../audit/index.js';
import { catalogued, type EventSeverity, type OcsfActivity } from '../platform/events/index.js';

/** The version of the schema that events are written in: schema.ocsf.io/1.3.0. */
export const OCSF_VERSION = '1.3.0';

/** An event in OCSF: base attributes, and those of its class. */
export interface OcsfEvent {
  readonly class_uid: number;
  readonly category_uid: number;
  readonly activity_id: number;
  readonly type_uid: number;
  readonly severity_id: number;
  readonly status_id: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly metadata: Readonly<Record<string, unknown>> & { readonly uid: string; readonly sequence: number };
  readonly [attribute: string]: unknown;
}

export interface OcsfOptions {
  /** Address, user agent and e-mail address of whoever acted; bodies of requests never leave. */
  readonly personalData: boolean;
}

const SEVERITY: Readonly<Record<EventSeverity, number>> = {
  informational: 1,
  low: 2,
  medium: 3,
  high: 4,
  critical: 5,
};
/** What an older version has recorded, or a newer one: API Activity, other. */
const UNKNOWN: OcsfActivity = { classUid: 6003, activityId: 99 };
const STATUS = { success: 1, denied: 2, failure: 2 } as const;
export const PRODUCT = { name: 'Waxell', vendor_name: 'Waxell' };
const USER_TYPE = { user: 1, operator: 2, support: 2, system: 3, api_key: 4, client: 4 } as const;

/**
 * An event of the log as OCSF has it. What has no place there is in `unmapped`; nothing but personal data is left out, and
 * of an event that is `malformed` what is not of its type.
 */
export function ocsfEvent(exported: ExportedEvent, { personalData }: OcsfOptions): OcsfEvent {
  const { body, odd } = readEvent(exported.event);
  const entry = catalogued(body.action);
  const { classUid, activityId } = entry?.ocsf ?? UNKNOWN;
  const who = personalData ? clientOf(exported.personal) : {};
  return {
    class_uid: classUid,
    category_uid: Math.floor(classUid / 1_000),
    activity_id: activityId,
    type_uid: classUid * 100 + activityId,
    severity_id: severityOf(body, entry?.severity),
    status_id: STATUS[body.outcome],
    ...(body.reason !== undefined && { status_code: body.reason }),
    ...(body.outcome === 'denied' && { status_detail: 'denied' }),
    time: Date.parse(body.at) || 0,
    ...(entry && { message: entry.means }),
    metadata: metadataOf(exported, body),
    actor: actorOf(body, who),
    ...attributesOfClass(classUid, body, who),
    ...(body.request && { http_request: httpRequest(body, who) }),
    ...(body.resource && {
      resources: [{ uid: body.resource.id, type: body.resource.type, region: body.region }],
    }),
    unmapped: { ...unmapped(exported, body), ...(odd && { malformed: true }) },
  };
}

/** Success weighs what the catalogue says; what was refused or failed is at least worth a look. */
function severityOf({ outcome }: EventBody, severity: EventSeverity = 'informational'): number {
  return Math.max(SEVERITY[severity], outcome === 'success' ? 1 : SEVERITY.low);
}

function metadataOf({ seq }: ExportedEvent, body: EventBody): OcsfEvent['metadata'] {
  return {
    version: OCSF_VERSION,
    product: PRODUCT,
    uid: body.id,
    sequence: seq,
    event_code: body.action,
    tenant_uid: body.tenant,
    log_name: 'audit',
    ...(body.request && { correlation_uid: body.request.id }),
  };
}

interface Who {
  readonly ip?: string;
  readonly userAgent?: string;
  readonly email?: string;
}

function clientOf(personal: ExportedEvent['personal']): Who {
  const text = (name: string): string | undefined => {
    const value = personal?.[name];
    return typeof value === 'string' ? value : undefined;
  };
  const [ip, userAgent, email] = [text('ip'), text('userAgent'), text('email')];
  return {
    ...(ip !== undefined && { ip }),
    ...(userAgent !== undefined && { userAgent }),
    ...(email !== undefined && { email }),
  };
}

function actorOf({ actor, policies, outcome }: EventBody, who: Who): Record<string, unknown> {
  const behalf = actor.userId ?? actor.onBehalfOf;
  return {
    user: userOf({ actor }, who),
    ...(behalf !== undefined && { invoked_by: behalf }),
    ...(actor.sessionId !== undefined && { session: { uid: actor.sessionId } }),
    ...(policies && {
      authorizations: policies.map((name) => ({
        decision: outcome === 'denied' ? 'Denied' : 'Allowed',
        policy: { name },
      })),
    }),
  };
}

function userOf({ actor }: Pick<EventBody, 'actor'>, { email }: Who): Record<string, unknown> {
  return {
    uid: actor.id,
    type: actor.type,
    type_id: USER_TYPE[actor.type as keyof typeof USER_TYPE] ?? 0,
    ...(email !== undefined && { email_addr: email }),
  };
}

function attributesOfClass(classUid: number, body: EventBody, who: Who): Record<string, unknown> {
  switch (classUid) {
    case 3002:
      return { user: userOf(body, who), service: { name: 'Waxell' }, src_endpoint: endpointOf(who) };
    case 3001:
      // Who was changed; who did it is the actor.
      return {
        user: { uid: body.resource?.id ?? body.actor.id, type_id: USER_TYPE.user },
        src_endpoint: endpointOf(who),
      };
    case 2004:
      return { finding_info: findingOf(body) };
    default:
      return {
        api: { operation: body.action, ...(body.request && { request: { uid: body.request.id } }) },
        src_endpoint: endpointOf(who),
      };
  }
}

/** The class asks for one of several members: where no address is known or told, the name of the service. */
function endpointOf({ ip }: Who): Record<string, unknown> {
  return ip === undefined ? { svc_name: 'waxell' } : { ip };
}

function findingOf({ id, action, resource, changes }: EventBody): Record<string, unknown> {
  const title = changes?.['title'];
  return {
    uid: resource?.id ?? id,
    title: typeof title === 'string' ? title : action,
    ...(typeof changes?.['rule'] === 'string' && { types: [changes['rule']] }),
  };
}

function httpRequest({ request }: EventBody, { userAgent }: Who): Record<string, unknown> {
  return {
    uid: request?.id,
    http_method: request?.method,
    url: { path: request?.path },
    ...(userAgent !== undefined && { user_agent: userAgent }),
  };
}

/** The link of the chain goes along: with it, what arrived can be held against a checkpoint. */
function unmapped({ chainHash }: ExportedEvent, body: EventBody): Record<string, unknown> {
  const { at, region, outcome, changes, policies, decision } = body;
  return {
    at,
    region,
    outcome,
    chain_hash: chainHash,
    ...(changes && { changes }),
    ...(policies && { policies }),
    ...(decision && { decision }),
  };
}

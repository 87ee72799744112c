import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ExportedEvent } from '../audit/index.js';
import { AUDIT_ACTIONS, catalogued } from '../platform/events/index.js';
import { ocsfEvent } from './ocsf.js';

/**
 * Required attributes by class, as schema.ocsf.io/1.3.0 lists them, and those of which the class asks for at least one.
 * Paths with a dot are required members of an object.
 */
const BASE = [
  'activity_id',
  'category_uid',
  'class_uid',
  'metadata.product.vendor_name',
  'metadata.version',
  'severity_id',
  'time',
  'type_uid',
];
const REQUIRED: Readonly<Record<number, { all: string[]; one: string[][] }>> = {
  2004: { all: ['finding_info.uid', 'finding_info.title'], one: [] },
  3001: { all: ['user'], one: [['user.uid', 'user.name', 'user.account']] },
  3002: {
    all: ['user'],
    one: [
      ['service', 'dst_endpoint'],
      ['user.uid', 'user.name', 'user.account'],
    ],
  },
  6003: {
    all: ['actor', 'api.operation', 'src_endpoint'],
    one: [
      ['src_endpoint.ip', 'src_endpoint.svc_name'],
      ['actor.user', 'actor.session'],
    ],
  },
};
/** Activities that each class knows. */
const ACTIVITIES: Readonly<Record<number, readonly number[]>> = {
  2004: [0, 1, 2, 3, 99],
  3001: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 99],
  3002: [0, 1, 2, 3, 4, 5, 6, 99],
  6003: [0, 1, 2, 3, 4, 99],
};

function at(value: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((object, key) => (object as Record<string, unknown>)?.[key], value);
}

const id = fc.uuid();
const words = fc.string({ maxLength: 40 });
const exported = fc
  .record({
    seq: fc.integer({ min: 1 }),
    action: fc.oneof(fc.constantFrom(...AUDIT_ACTIONS), words),
    outcome: fc.constantFrom('success', 'denied', 'failure'),
    id,
    type: fc.constantFrom('user', 'api_key', 'client', 'operator', 'anonymous', 'system'),
    actor: words,
    userId: fc.option(id, { nil: undefined }),
    sessionId: fc.option(id, { nil: undefined }),
    resource: fc.option(fc.record({ type: words, id: words }), { nil: undefined }),
    request: fc.option(fc.record({ id: words, method: words, path: words }), { nil: undefined }),
    policies: fc.option(fc.array(words, { maxLength: 3 }), { nil: undefined }),
    changes: fc.option(fc.dictionary(words, fc.jsonValue(), { maxKeys: 3 }), { nil: undefined }),
    personal: fc.option(
      fc.record({
        ip: fc.ipV4(),
        userAgent: words,
        email: words,
        body: fc.constant({ hidden: 'SECRET-BODY' }),
      }),
      { nil: undefined },
    ),
    when: fc.date({ min: new Date(0), max: new Date('9999-01-01'), noInvalidDate: true }),
  })
  .map(({ seq, personal, type, actor, userId, sessionId, when, ...body }): ExportedEvent => ({
    seq,
    event: JSON.stringify({
      v: 1,
      tenant: 't_0000000000000001',
      region: 'eu-west-1',
      at: when.toISOString().replace('Z', '000Z'),
      actor: { type, id: actor, userId, sessionId },
      ...body,
    }),
    chainHash: 'ab',
    ...(personal && { personal }),
  }));

describe('an event in OCSF', () => {
  it('has every attribute that its class requires, whatever the event is', () => {
    fc.assert(
      fc.property(exported, fc.boolean(), (event, personalData) => {
        const mapped = ocsfEvent(event, { personalData });
        const required = REQUIRED[mapped.class_uid];
        expect(required).toBeDefined();
        for (const path of [...BASE, ...(required?.all ?? [])]) expect(at(mapped, path), path).toBeDefined();
        for (const paths of required?.one ?? [])
          expect(
            paths.some((path) => at(mapped, path) !== undefined),
            paths.join(),
          ).toBe(true);
        expect(ACTIVITIES[mapped.class_uid]).toContain(mapped.activity_id);
        expect(mapped.type_uid).toBe(mapped.class_uid * 100 + mapped.activity_id);
        expect(mapped.category_uid).toBe(Math.floor(mapped.class_uid / 1_000));
        expect([1, 2, 3, 4, 5]).toContain(mapped.severity_id);
        expect(Number.isSafeInteger(mapped.time)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('keeps what identifies it: id, position, action, tenant, chain', () => {
    fc.assert(
      fc.property(exported, (event) => {
        const body = JSON.parse(event.event) as { id: string; action: string; tenant: string };
        const { metadata, unmapped } = ocsfEvent(event, { personalData: false });
        expect(metadata).toMatchObject({
          uid: body.id,
          sequence: event.seq,
          event_code: body.action,
          tenant_uid: body.tenant,
        });
        expect(unmapped).toMatchObject({ chain_hash: event.chainHash });
      }),
    );
  });

  it('never carries the body of a request, and personal data only where it is wanted', () => {
    fc.assert(
      fc.property(exported, (event) => {
        expect(JSON.stringify(ocsfEvent(event, { personalData: true }))).not.toContain('SECRET-BODY');
        const without = ocsfEvent(event, { personalData: false });
        expect(at(without, 'src_endpoint.ip')).toBeUndefined();
        expect(at(without, 'actor.user.email_addr')).toBeUndefined();
        expect(at(without, 'http_request.user_agent')).toBeUndefined();
      }),
    );
  });

  it('says what was refused: a denial is a failure with its code, and never informational', () => {
    const event = {
      seq: 7,
      event: JSON.stringify({
        v: 1,
        id: '0',
        at: '2026-11-21T10:00:00.000001Z',
        tenant: 't_0000000000000001',
        region: 'r',
        action: 'agent.read',
        actor: { type: 'user', id: 'u', sessionId: 's' },
        outcome: 'denied',
        reason: 'FORBIDDEN',
        policies: ['viewer-reads'],
      }),
      chainHash: 'ab',
      personal: { ip: '192.0.2.1', userAgent: 'curl' },
    };
    expect(ocsfEvent(event, { personalData: true })).toMatchObject({
      type_uid: 600_302,
      status_id: 2,
      status_code: 'FORBIDDEN',
      severity_id: 2,
      src_endpoint: { ip: '192.0.2.1' },
      actor: {
        user: { uid: 'u', type_id: 1 },
        session: { uid: 's' },
        authorizations: [{ decision: 'Denied', policy: { name: 'viewer-reads' } }],
      },
    });
  });

  it('has them as well where its members are of no type that they should be, and says that it is malformed', () => {
    const members = fc.dictionary(
      fc.constantFrom(
        'id',
        'at',
        'actor',
        'outcome',
        'policies',
        'client',
        'sealed',
        'changes',
        'request',
        'resource',
      ),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(exported, members, (event, odd) => {
        const said = JSON.stringify({ ...(JSON.parse(event.event) as object), ...odd });
        const mapped = ocsfEvent({ ...event, event: said }, { personalData: true });
        const required = REQUIRED[mapped.class_uid];
        for (const path of [...BASE, ...(required?.all ?? [])]) expect(at(mapped, path), path).toBeDefined();
        expect(Number.isSafeInteger(mapped.time)).toBe(true);
        expect(() => JSON.stringify(mapped)).not.toThrow();
      }),
    );
    const [event] = fc.sample(exported, 1);
    const told = { ...(JSON.parse(event?.event ?? '') as object), policies: 5 };
    const mapped = ocsfEvent(
      { seq: 1, chainHash: 'ab', event: JSON.stringify(told) },
      { personalData: true },
    );
    expect(mapped['unmapped']).toMatchObject({ malformed: true });
  });

  it('is of the class that the catalogue names', () => {
    expect(catalogued('session.created')?.ocsf).toEqual({ classUid: 3002, activityId: 1 });
    expect(catalogued('user.created')?.ocsf).toEqual({ classUid: 3001, activityId: 1 });
    expect(catalogued('constructor')).toBeUndefined();
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventBody } from '../audit/index.js';
import { DAY, event, failed, found, HOUR, NONE, START, times } from '../../test/support/observed-events.js';
import { Detector } from './detector.js';
import { Memory } from './memory.js';
import type { ObservedEvent } from './observed-event.js';
import { defaultsOf, RULE_NAMES, type DetectionSettings, type RuleName } from './rule-catalogue.js';

describe('failed sign-ins', () => {
  it('are found for an account at the fifth, and not before', () => {
    const four = times(4, (at) => failed(START + at, 'a', `ip${at}`));
    expect(found(four)).toEqual([]);
    expect(found([...four, failed(START + 5, 'a', 'ip9')])).toEqual(['failed_logins.account a']);
  });

  it('that are fifteen minutes apart are not counted together', () => {
    expect(found(times(20, (at) => failed(START + at * 300, 'a', `ip${at}`)))).toEqual([]);
  });

  it('are found from an address that tries one account after the other', () => {
    expect(found(times(20, (at) => failed(START + at, `a${at}`, 'ip')))).toEqual([
      'failed_logins.address ip',
    ]);
  });

  it('are found in the organisation when they come from everywhere, for everybody', () => {
    expect(found(times(100, (at) => failed(START + at, `a${at}`, `ip${at}`)))).toEqual([
      'failed_logins.organisation all',
    ]);
  });

  it('are found once in a window, and again in the next', () => {
    const hours = times(2 * HOUR, (at) => failed(START + at, 'a', `ip${at}`));
    expect(found(hours).filter((one) => one === 'failed_logins.account a')).toHaveLength(8);
  });

  it('that succeed in the end do not count as failed', () => {
    expect(found(times(200, (at) => event(START + at, 'session.created', {}, { account: 'a' })))).toEqual([]);
  });
});

describe('privileges', () => {
  const denied = (at: number, action: string) => event(START + at, action, { outcome: 'denied' });
  it('that are denied again and again are found, administrative ones only', () => {
    expect(found(times(5, (at) => denied(at, 'user.updated')))).toEqual(['privileges.denied ann']);
    expect(found(times(50, (at) => denied(at, 'agent.read')))).toEqual([]);
  });
  it('that nobody holds are found at the first try', () => {
    const reason = 'GRANT_EXCEEDS_OWN';
    expect(found([event(START, 'api_key.created', { outcome: 'denied', reason })])).toEqual([
      'privileges.exceeded ann',
    ]);
  });
  it('of an Owner or Admin are found when they are granted, those of others not', () => {
    const grant = (role: string) =>
      event(START, 'user.updated', { changes: { role }, resource: { type: 'user', id: 'bob' } });
    expect(found([grant('Admin')])).toEqual(['privileges.granted bob']);
    expect(found([grant('Developer')])).toEqual([]);
  });
  const gives = (action: string, changes: object, id = 'it') =>
    found([event(START, action, { changes: { ...changes }, resource: { type: 'x', id } })]);
  it.each<[string, string, object, object]>([
    [
      'a grant',
      'grant.created',
      { principal: { type: 'group', id: 'it' }, role: 'Admin', on: { type: 'project', id: 'p' } },
      { role: 'Developer' },
    ],
    [
      'a grant of a role of one’s own',
      'grant.created',
      { roleId: 'r', administrative: true },
      { roleId: 'r' },
    ],
    [
      'a role that gains',
      'role.updated',
      { before: ['agent:read'], permissions: ['agent:read', 'user:update'] },
      { before: ['user:update'], permissions: ['user:update', 'agent:delete', 'audit:read'] },
    ],
    ['a group', 'group.members_changed', { administrative: true }, { added: { count: 1 } }],
    ['a group of a directory', 'scim_group.updated', { administrative: true }, { added: { count: 1 } }],
    ['a directory', 'scim_user.created', { role: 'Admin' }, { role: 'Member' }],
    ['a key', 'api_key.created', { scopes: ['*:admin'] }, { scopes: ['agent:admin', '*:write'] }],
    [
      'a client',
      'oauth_client.updated',
      { fields: ['scopes'], role: 'Admin', scopes: ['user:admin'] },
      { fields: ['name'], role: 'Admin', scopes: ['user:admin'] },
    ],
  ])('that administer are found when they are given by %s', (_by, action, administrative, harmless) => {
    expect(gives(action, administrative)).toEqual(['privileges.granted it']);
    expect(gives(action, harmless)).toEqual([]);
  });
  it('that a provider gives to whoever signs in are found, and those that somebody had are not', () => {
    const signIn = (changes: object) => gives('session.created', { user: 'bob', role: 'Admin', ...changes });
    expect(signIn({ account: 'added' })).toEqual(['privileges.granted bob']);
    expect(signIn({ account: 'known', roleBefore: 'Viewer' })).toEqual(['privileges.granted bob']);
    expect(signIn({ account: 'known' })).toEqual([]);
    expect(signIn({ account: 'known', roleBefore: 'Owner' })).toEqual([]);
  });
});

describe('people taken away', () => {
  const removed = (at: number, action = 'scim_user.deactivated') =>
    event(START + at, action, { actor: { type: 'directory', id: 'okta' } });
  it('by one directory are found at the tenth in an hour, whichever way', () => {
    const ten = times(10, (at) => removed(at, at % 2 ? 'scim_user.deleted' : 'scim_user.deactivated'));
    expect(found(ten.slice(0, 9))).toEqual([]);
    expect(found(ten)).toEqual(['provisioning.mass_removal okta']);
    expect(found(times(20, (at) => removed(at * 600)))).toEqual([]);
    expect(found(times(20, (at) => removed(at, 'scim_user.reactivated')))).toEqual([]);
  });
  it('out of groups that have roles are counted with them, those of other groups not', () => {
    const emptied = (
      action: string,
      changes: Record<string, unknown>,
      outcome: 'success' | 'failure' = 'success',
    ) => event(START, action, { actor: { type: 'directory', id: 'okta' }, changes, outcome });
    const alert = ['provisioning.mass_removal okta'];
    expect(found([emptied('scim_group.updated', { lostRoles: 10 })])).toEqual(alert);
    expect(found([emptied('scim_group.deleted', { people: 4_000, lostRoles: 4_000 })])).toEqual(alert);
    expect(found([...times(5, removed), emptied('scim_group.updated', { lostRoles: 5 })])).toEqual(alert);
    expect(found([emptied('scim_group.updated', { lostRoles: 9 })])).toEqual([]);
    expect(found([emptied('scim_group.updated', { removed: { count: 4_000 } })])).toEqual([]);
    expect(found([emptied('scim_group.updated', { lostRoles: 4_000 }, 'failure')])).toEqual([]);
  });
});

describe('exfiltration', () => {
  it('is a thousand reads in ten minutes, and not in a day', () => {
    expect(found(times(1_000, (at) => event(START + Math.floor(at / 2), 'run.read')))).toContain(
      'exfiltration.reads ann',
    );
    expect(found(times(1_000, (at) => event(START + at * 80, 'run.read')))).not.toContain(
      'exfiltration.reads ann',
    );
  });
  it('is twenty thousand rows in ten minutes, in however few lists, of data or of people', () => {
    const page = (action: string) => (at: number) => event(START + at, action, { changes: { rows: 200 } });
    for (const action of ['run.listed', 'scim_user.listed', 'scim.searched', 'grant.listed']) {
      expect(found(times(99, page(action)))).toEqual([]);
      expect(found(times(100, page(action)))).toEqual(['exfiltration.rows ann']);
    }
    const denied = (at: number) =>
      event(START + at, 'run.listed', { outcome: 'denied', changes: { rows: 200 } });
    expect(found(times(200, denied))).toEqual([]);
    const odd = [-5_000_000, 1e300, '20000', {}].map((rows, at) =>
      event(START + at, 'run.listed', { changes: { rows } }),
    );
    expect(found([...odd, ...times(100, page('run.listed'))])).toEqual(['exfiltration.rows ann']);
  });
  it('is reading what administrators read as well, a thousand times', () => {
    expect(found(times(1_000, (at) => event(START + Math.floor(at / 2), 'role.listed')))).toContain(
      'exfiltration.reads ann',
    );
  });
  it('may be an export', () => {
    expect(found([event(START, 'audit.exported')])).toEqual(['exfiltration.exports ann']);
  });
});

describe('what the system says of itself', () => {
  it('is found: a broken log, a certificate that expires, a destination that takes nothing', () => {
    const system = { actor: { type: 'system', id: 's' } };
    expect(
      found([
        event(START, 'audit.verified', { changes: { valid: true } }),
        event(START, 'audit.verified', { changes: { valid: false, finding: 'event_altered' } }),
        event(START, 'certificate.expiring', { ...system, resource: { type: 'certificate', id: 'server' } }),
        event(START, 'audit.delivery_failing', { ...system, resource: { type: 'd', id: 'splunk' } }),
      ]),
    ).toEqual([
      'audit.chain t_0000000000000001',
      'certificate.expiry server',
      'delivery.failing failing splunk',
    ]);
  });
});

describe('a destination that is behind', () => {
  const behind = (lagSeconds: unknown) =>
    event(START, 'audit.delivery_lagging', {
      changes: { lagSeconds },
      resource: { type: 'd', id: 'splunk' },
    });
  it('is found by as many minutes as are set', () => {
    expect(found([behind(899), behind('x')])).toEqual([]);
    expect(found([behind(900)])).toEqual(['delivery.lag splunk']);
    const hour = new Map([['delivery.lag' as const, { ...defaultsOf('delivery.lag'), threshold: 60 }]]);
    expect(found([behind(3_599)], hour)).toEqual([]);
    expect(found([behind(3_600)], hour)).toEqual(['delivery.lag splunk']);
  });
});

describe('settings', () => {
  const set = (rule: RuleName, change: object): DetectionSettings =>
    new Map([[rule, { ...defaultsOf(rule), ...change }]]);
  it('change the threshold of a rule, and turn it off', () => {
    const events = times(3, (at) => failed(START + at, 'a', `ip${at}`));
    expect(found(events, set('failed_logins.account', { threshold: 3 }))).toHaveLength(1);
    const many = times(10, (at) => failed(START + at, 'a', `ip${at}`));
    expect(found(many, set('failed_logins.account', { enabled: false }))).toEqual([]);
  });
});

describe('any log', () => {
  const any = fc.array(
    fc.record({
      gap: fc.integer({ min: 0, max: 400 }),
      action: fc.constantFrom('session.created', 'run.read', 'user.updated', 'audit.exported', 'agent.read'),
      outcome: fc.constantFrom('success' as const, 'denied' as const),
      who: fc.constantFrom('a', 'b', 'c'),
    }),
    { maxLength: 300 },
  );
  const logOf = (
    steps: readonly { gap: number; action: string; outcome: 'success' | 'denied'; who: string }[],
  ) => {
    let at = START;
    return steps.map(({ gap, action, outcome, who }, index): ObservedEvent => {
      at += gap;
      const body = { outcome, actor: { type: 'user', id: who } };
      return { ...event(at, action, body, { account: who, address: who }), seq: index + 1 };
    });
  };

  it('gives the same findings in one piece, and in pieces with the memory stored in between', () => {
    const settings: DetectionSettings = new Map(
      RULE_NAMES.map((rule) => [rule, { ...defaultsOf(rule), threshold: 3, windowSeconds: 600 }]),
    );
    fc.assert(
      fc.property(any, fc.array(fc.nat(300), { maxLength: 5 }), (steps, cuts) => {
        const log = logOf(steps);
        const whole = new Detector(new Memory(), settings);
        const expected = log.flatMap((one) => whole.observe(one));
        let memory = new Memory();
        const pieces: unknown[] = [];
        for (const [at, one] of log.entries()) {
          if (cuts.includes(at)) memory = new Memory(JSON.parse(JSON.stringify(memory.stored())) as object);
          pieces.push(...new Detector(memory, settings).observe(one));
        }
        expect(pieces).toEqual(expected);
        expect(JSON.stringify(memory.stored())).toBe(JSON.stringify(whole.memory.stored()));
      }),
    );
  });

  it('keeps the memory bounded: however many different addresses, accounts and actors', () => {
    const memory = new Memory();
    const detector = new Detector(memory, NONE);
    for (let at = 0; at < 20_000; at += 1) {
      detector.observe(failed(START + at, `account${at}`, `address${at}`));
      detector.observe(event(START + at, 'run.read', { actor: { type: 'user', id: `actor${at}` } }));
    }
    const { windows, found: marks, actors } = memory.stored();
    expect(windows.length).toBeLessThanOrEqual(1_000);
    expect(marks.length).toBeLessThanOrEqual(1_000);
    expect(actors.length).toBeLessThanOrEqual(300);
    for (let at = 0; at < 50_000; at += 1)
      detector.observe(event(START + DAY + Math.floor(at / 100), 'run.read'));
    const reads = memory.stored().windows.find(([key]) => key === 'exfiltration.reads ann');
    expect(reads?.[1].length).toBeLessThanOrEqual(61);
  });

  it('forgets within a month under what nothing was counted any more', () => {
    const memory = new Memory();
    const detector = new Detector(memory, NONE);
    for (let at = 0; at < 20; at += 1) detector.observe(failed(START + at, 'ann', 'address'));
    const text = (): string => JSON.stringify([memory.stored().windows, memory.stored().found]);
    detector.observe(failed(START + 29 * DAY, 'ben', 'elsewhere'));
    expect(text()).toContain('ann');
    detector.observe(failed(START + 31 * DAY, 'ben', 'elsewhere'));
    expect(text()).toContain('ben');
    expect(text()).not.toMatch(/ann|address"/);
  });
});

describe('the destruction of keys', () => {
  const scheduled = (operation: string, outcome: EventBody['outcome'] = 'success') =>
    event(START, 'keys.deletion_scheduled', { outcome, changes: { operation, waitDays: 7 } });

  it('is found each time that it is scheduled, as P1; not where that was refused', () => {
    expect(found([scheduled('o1'), scheduled('o2'), scheduled('o3', 'denied')])).toEqual([
      'keys.deletion o1',
      'keys.deletion o2',
    ]);
    expect(defaultsOf('keys.deletion').severity).toBe('P1');
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BLOCK } from '../../src/audit/posting-block.js';
import type { AuditAction } from '../../src/platform/events/index.js';
import { PLATFORM_TENANT, type TenantRef } from '../../src/platform/database/index.js';
import { openDetecting, type Detecting } from '../support/detecting.js';

let test: Detecting;
let platform: TenantRef;

beforeAll(async () => {
  test = await openDetecting();
  platform = await test.newTenant(PLATFORM_TENANT);
});
afterAll(() => test.close());

const failed = (
  tenant: TenantRef,
  count: number,
  email = 'ann@acme.example',
  ip = '192.0.2.1',
  subject?: string,
) =>
  test.record(tenant, count, {
    action: 'session.created',
    actor: { type: 'anonymous', id: 'anonymous' },
    outcome: 'denied',
    reason: 'SIGN_IN_FAILED',
    client: { ip, userAgent: 'x' },
    personal: { email },
    ...(subject !== undefined && { subject }),
  });
const did = (tenant: TenantRef, action: AuditAction) =>
  test.record(tenant, 1, { action, actor: { type: 'user', id: 'bob' }, outcome: 'success' });

describe('a log that is followed', () => {
  it('raises an alert in its own organisation, and in no other', async () => {
    const [acme, globex] = [await test.newTenant(), await test.newTenant()];
    await Promise.all([failed(acme, 5), failed(globex, 4)]);
    await test.follow();
    expect(await test.alerts(acme)).toMatchObject([
      {
        rule: 'failed_logins.account',
        severity: 'P3',
        status: 'open',
        subject: { email: 'ann@acme.example' },
      },
    ]);
    expect(await test.alerts(globex)).toEqual([]);
    expect(await test.actions(acme)).toContain('alert.raised');
    expect(await test.actions(globex)).not.toContain('alert.raised');
  });

  it('has the same alert once, however often and by however many it is looked at', async () => {
    const acme = await test.newTenant();
    await failed(acme, 8);
    await Promise.all([test.follow(), test.follow(), test.follow(), test.follow()]);
    await test.forgetHints();
    await Promise.all([test.follow(), test.follow()]);
    expect(await test.alerts(acme)).toMatchObject([{ rule: 'failed_logins.account', occurrences: 1 }]);
    expect((await test.actions(acme)).filter((action) => action === 'alert.raised')).toHaveLength(1);
  });

  it('is indexed by the same look: what was read once is found by it', async () => {
    const acme = await test.newTenant();
    const action = 'agent.read';
    const actor = { type: 'user', id: 'bob' } as const;
    const some = Array.from({ length: 64 }, () =>
      test.record(acme, BLOCK / 64 + 1, { action, actor, outcome: 'success' }),
    );
    await Promise.all(some);
    await test.follow();
    const { rows } = await test.db.superuser.query(
      'SELECT block FROM audit.indexed WHERE tenant = $1 AND EXISTS (SELECT FROM audit.postings p WHERE p.tenant = $1)',
      [acme.id],
    );
    expect(rows).toEqual([{ block: 0 }]);
  });

  it('of an organisation whose keys were destroyed is not looked at for ever; a neighbour’s is', async () => {
    const [acme, globex] = [await test.newTenant(), await test.newTenant()];
    await Promise.all([failed(acme, 3), failed(globex, 3)]);
    await test.follow();
    await test.destroyKeys(acme);
    await did(acme, 'agent.read');
    await failed(globex, 2);
    await test.follow();
    expect(await test.alerts(globex)).toMatchObject([{ rule: 'failed_logins.account' }]);
    const { rows } = await test.db.superuser.query<{ behind: number }>(
      `SELECT (h.seq - l.seq)::int AS behind FROM audit.heads h JOIN audit.looked_at l USING (tenant) WHERE tenant = $1`,
      [acme.id],
    );
    expect(rows).toEqual([{ behind: 0 }]);
  });

  it('counts across looks: what is remembered is in the database', async () => {
    const acme = await test.newTenant();
    for (let at = 0; at < 5; at += 1) {
      expect(await test.alerts(acme)).toEqual([]);
      await failed(acme, 1);
      await test.follow();
    }
    expect(await test.alerts(acme)).toHaveLength(1);
  });

  it('keeps what concerns a known person under that person’s key, and remembers nothing that follows from the address', async () => {
    const [acme, globex] = [await test.newTenant(), await test.newTenant()];
    const [ann, same] = [await test.addPerson(acme), await test.addPerson(globex)];
    await failed(acme, 10, 'ann@acme.example', '192.0.2.1', ann);
    await failed(globex, 5, 'ann@acme.example', '192.0.2.1', same);
    await test.follow();
    expect((await test.alerts(acme)).map(({ subject }) => subject)).toContainEqual({
      email: 'ann@acme.example',
    });
    const { key } = (await test.alerts(acme)).find(({ rule }) => rule === 'failed_logins.account') ?? {};
    const hash = (await test.encryption.pseudonym(acme, 'detection account', 'ann@acme.example'))
      .toString('base64url')
      .slice(0, 22);
    expect(key).not.toBe(hash);
    await test.erase(acme, ann);
    expect((await test.alerts(acme)).map(({ subject }) => subject)).toEqual([undefined]);
    expect((await test.alerts(globex)).map(({ subject }) => subject)).toEqual([
      { email: 'ann@acme.example' },
    ]);
    await test.follow();
  });

  it('keeps no address and no e-mail address in clear', async () => {
    const acme = await test.newTenant();
    await failed(acme, 20, 'ann@acme.example', '203.0.113.77');
    await test.follow();
    const found = await test.alerts(acme);
    expect(found.map(({ rule }) => rule).sort()).toEqual(['failed_logins.account', 'failed_logins.address']);
    expect(found.find(({ rule }) => rule === 'failed_logins.address')?.subject).toEqual({
      ip: '203.0.113.77',
    });
    const { rows } = await test.db.superuser.query<{ text: string }>(
      `SELECT (SELECT string_agg(a::text, ' ') FROM "${acme.id}".alerts a) || (SELECT string_agg(s::text, ' ')
         FROM "${acme.id}".detection_state s) AS text`,
    );
    expect(rows[0]?.text).toContain('failed_logins.address');
    expect(rows[0]?.text).not.toMatch(/ann@|203\.0\.113/);
  });

  it('does not repeat what was found when it is looked at from its own beginning after a loss of hints', async () => {
    const acme = await test.newTenant();
    await did(acme, 'audit.exported');
    await test.follow();
    await test.forgetHints();
    await test.follow();
    expect(await test.alerts(acme)).toMatchObject([{ rule: 'exfiltration.exports', occurrences: 1 }]);
  });

  it('alarms of what happened days ago, and says that it is late; of what happened longer ago nobody', async () => {
    const [acme, globex] = [await test.newTenant(), await test.newTenant()];
    const daysAgo = (days: number): Date => new Date(Date.now() - days * 86_400_000);
    await test.recordAt(acme, daysAgo(3), 'audit.exported');
    await test.recordAt(globex, daysAgo(8), 'audit.exported');
    await test.follow();
    const late = { late: true, happenedAt: expect.stringContaining(daysAgo(3).toISOString().slice(0, 16)) };
    expect(await test.alerts(acme)).toMatchObject([{ rule: 'exfiltration.exports', details: late }]);
    expect(await test.alerts(globex)).toEqual([]);
  });

  it('takes no event from the future at its word: what was counted stays, and what comes is found', async () => {
    const acme = await test.newTenant();
    await failed(acme, 4);
    await test.recordAt(acme, new Date(Date.now() + 400 * 86_400_000), 'audit.exported');
    await failed(acme, 1);
    await test.follow();
    await did(acme, 'organisation.exported');
    await test.follow();
    const found = (await test.alerts(acme)).map(({ rule, occurrences }) => [rule, occurrences]);
    expect(found).toEqual([
      ['exfiltration.exports', 1],
      ['failed_logins.account', 1],
    ]);
  });

  it('is followed past events that are not as events are written, to its end', async () => {
    const acme = await test.newTenant();
    const odd = [
      { client: {} },
      { sealed: 5 },
      { policies: 5 },
      { action: 'session.created', client: {}, sealed: [] },
      { action: 'session.created', client: { id: 7, sealed: null } },
      { action: 'session.created', sealed: 'no such thing', client: { id: 'x', sealed: '' } },
      { resource: 'x', changes: [1], request: null, decision: 7, reason: {} },
      { actor: { id: 'bob', type: {} }, outcome: 'whatever' },
      { action: 'grant.created', changes: { principal: null, role: 'Admin' } },
    ];
    for (const members of odd) await test.append(acme, members);
    await failed(acme, 5);
    await test.follow();
    expect((await test.alerts(acme)).map(({ rule }) => rule)).toContain('failed_logins.account');
    const { rows } = await test.db.superuser.query(
      `SELECT h.seq - p.seq AS behind FROM audit.heads h, "${acme.id}".detection_progress p WHERE h.tenant = $1`,
      [acme.id],
    );
    // The event that tells of the alert is looked at next.
    expect(rows).toEqual([{ behind: '1' }]);
  });
});

describe('the chain of a log that is followed', () => {
  const tamper = (tenant: TenantRef, sql: string): Promise<unknown> =>
    test.db.superuser.query(sql, [tenant.id]);

  it('that is broken behind what was looked at raises P1 in the organisation and in the installation', async () => {
    const [acme, globex] = [await test.newTenant(), await test.newTenant()];
    for (const tenant of [acme, globex]) for (let at = 0; at < 3; at += 1) await did(tenant, 'agent.read');
    await test.follow();
    await did(acme, 'agent.read');
    await did(globex, 'agent.read');
    await tamper(
      acme,
      `UPDATE audit.events SET event = convert_to(replace(convert_from(event, 'UTF8'), '"bob"', '"eve"'), 'UTF8')
       WHERE tenant = $1 AND seq = 4`,
    );
    await test.follow();
    expect(await test.alerts(acme)).toMatchObject([
      { rule: 'audit.chain', severity: 'P1', details: { seq: 4, kind: 'chain_broken' } },
    ]);
    expect(await test.alerts(globex)).toEqual([]);
    await test.follow();
    expect(await test.alerts(platform)).toMatchObject([
      { rule: 'audit.chain', severity: 'P1', key: acme.id },
    ]);
  });

  it('that was rewritten as a whole does not lead on from the link that was kept', async () => {
    const acme = await test.newTenant();
    for (let at = 0; at < 3; at += 1) await did(acme, 'agent.read');
    await test.follow();
    await tamper(acme, 'DELETE FROM audit.events WHERE tenant = $1');
    await tamper(acme, 'DELETE FROM audit.heads WHERE tenant = $1');
    await test.restart();
    for (let at = 0; at < 5; at += 1) await did(acme, 'agent.read');
    await test.follow();
    expect(await test.alerts(acme)).toMatchObject([
      { rule: 'audit.chain', details: { kind: 'chain_broken' } },
    ]);
  });

  it('whose beginning was kept its time and is gone is not broken, the first time it is looked at', async () => {
    const acme = await test.newTenant();
    for (let at = 0; at < 5; at += 1) await did(acme, 'agent.read');
    await tamper(acme, 'DELETE FROM audit.events WHERE tenant = $1 AND seq < 3');
    await test.follow();
    await did(acme, 'agent.read');
    await test.follow();
    expect(await test.alerts(acme)).toEqual([]);
  });

  it('that was cut off is found without anything being added', async () => {
    const acme = await test.newTenant();
    for (let at = 0; at < 3; at += 1) await did(acme, 'agent.read');
    await test.follow();
    await tamper(acme, 'DELETE FROM audit.events WHERE tenant = $1 AND seq > 2');
    await tamper(acme, 'UPDATE audit.heads SET seq = 2 WHERE tenant = $1');
    await test.follow();
    expect(await test.alerts(acme)).toMatchObject([
      { rule: 'audit.chain', details: { kind: 'log_truncated' } },
    ]);
  });
});

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TransmitterDto } from '../../src/shared-signals/transmitters.dto.js';
import { CAEP, RISC, SSF, SsfTransmitter } from '../fakes/ssf-transmitter.js';
import { publishedAgent, runIn, startRun, watchRun } from '../support/agents.js';
import { client, must } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { sharedSite } from '../support/shared-application.js';
import { deadWithin, SECOND, Signals, statusOf, TAKEN, TRANSMITTERS } from '../support/signals.js';
import { lastEvent } from '../support/single-sign-on.js';
import { createApiKey, createPerson, signIn, uniqueName } from '../support/tenants.js';

const app = sharedSite();
let signals: Signals;
beforeAll(async () => {
  signals = await Signals.begin();
});
afterAll(() => signals.end());

const sql = (text: string, values: unknown[]) =>
  asSuperuser(app.home, 'us-east-1', (database) => database.query(text, values));
const refresh = (refreshToken: string) => client(app.baseUrl).post('/v1/auth/refresh', { refreshToken });

describe('session-revoked', () => {
  it('ends cookie, access token, refresh token and an open stream within a second, and not the API key', async () => {
    const [eve, other] = [await signals.signedIn('eve'), await signals.signedIn('other')];
    await must(signals.tenant.api.patch(`/v1/users/${eve.id}`, { role: 'Developer' }), 200);
    const again = await signals.signedIn('eve');
    const key = await createApiKey(again.api, ['*:admin']);
    const agent = await publishedAgent(signals.tenant.api, { model: { name: 'demo-slow' } });
    const run = await startRun(signals.tenant.api, agent.id);
    await runIn(signals.tenant.api, run.id, new Set(['RUNNING']));
    const { ended } = await watchRun(again.api, run.id);

    expect(
      await signals.tell(`${CAEP}session-revoked`, signals.subject('eve'), {
        payload: { reason_admin: { en: 'Lost' } },
      }),
    ).toEqual(TAKEN);
    const since = performance.now();
    await deadWithin(again.api, since);
    await deadWithin(again.browser, since);
    expect((await refresh(again.refreshToken)).status).toBe(401);
    const cutAfter = (await ended) - since;
    expect(cutAfter).toBeLessThan(SECOND);
    process.stdout.write(
      `session-revoked: all refused after ${Math.round(performance.now() - since)} ms, stream cut after ${Math.round(cutAfter)} ms\n`,
    );
    expect(await statusOf(client(app.baseUrl, key.key))).toBe(200);
    expect(await statusOf(other.api)).toBe(200);
    expect(await lastEvent(signals.tenant, 'signal.sessions_ended')).toMatchObject({
      outcome: 'success',
      actor: { type: 'transmitter', id: signals.stream.id },
      resource: { type: 'user', id: eve.id },
      changes: { events: [`${CAEP}session-revoked`], outcomes: [{ user: eve.id, sessionsEnded: 2 }] },
    });
    expect(await statusOf((await signals.signedIn('eve')).api)).toBe(200);
    await signals.tenant.api.post(`/v1/runs/${run.id}/cancel`);
  });

  it.each<[string, (sub: string) => Parameters<SsfTransmitter['set']>]>([
    [
      'by an e-mail address',
      (sub) => [`${CAEP}session-revoked`, { format: 'email', email: signals.sso.address(sub) }],
    ],
    [
      'as the user of a complex subject, whatever the device',
      (sub) => [
        `${CAEP}session-revoked`,
        { format: 'complex', user: signals.subject(sub), device: { format: 'opaque', id: 'd1' } },
      ],
    ],
    [
      'as the drafts have it, in the event itself',
      (sub) => [
        `${RISC}sessions-revoked`,
        undefined,
        { payload: { subject: { subject_type: 'iss-sub', iss: signals.sso.issuer.url, sub } } },
      ],
    ],
  ])('finds somebody %s', async (_how, say) => {
    const sub = uniqueName('p');
    const { api } = await signals.signedIn(sub);
    expect(await signals.send(await signals.transmitter.set(...say(sub)))).toEqual(TAKEN);
    await deadWithin(api, performance.now());
  });

  it('is nobody’s where the subject is opaque, unknown, of another issuer, or of a domain that is not verified', async () => {
    const { api } = await signals.signedIn('fay');
    const person = await createPerson(signals.tenant.api, 'Developer');
    for (const about of [
      { format: 'opaque', id: 'fay' },
      signals.subject('nobody'),
      signals.subject('fay', 'https://other.example'),
      { format: 'email', email: person.email },
      { format: 'complex', tenant: { format: 'opaque', id: 't1' } },
    ]) {
      expect(await signals.tell(`${CAEP}session-revoked`, about)).toEqual(TAKEN);
      expect((await lastEvent(signals.tenant, 'signal.received'))?.changes).toMatchObject({
        subject: 'unknown',
      });
    }
    expect(await statusOf(api)).toBe(200);
    expect(
      await statusOf(client(app.baseUrl, (await signIn(app, signals.tenant.slug, person)).accessToken)),
    ).toBe(200);
  });

  it('is nobody’s by an address, where the transmitter may not name people so', async () => {
    const { api } = await signals.signedIn('gil');
    const { token } = await signals.registerOf(signals.tenant);
    const about = { format: 'email', email: signals.sso.address('gil') };
    expect(await signals.send(await signals.transmitter.set(`${CAEP}session-revoked`, about), token)).toEqual(
      TAKEN,
    );
    expect(await statusOf(api)).toBe(200);
  });
});

describe('credential-change', () => {
  it('ends sessions, and the trust in browsers in which a second factor was proved', async () => {
    const { id, api } = await signals.signedIn('hal');
    await sql(
      `INSERT INTO "${signals.tenant.id}".trusted_devices (id, user_id, secret_hash, fingerprint, client, proved_at, expires_at)
        VALUES ($1, $2, sha256('x'::bytea), sha256('y'::bytea), '', now(), now() + interval '1 day')`,
      [randomUUID(), id],
    );
    const payload = { credential_type: 'password', change_type: 'update' };
    expect(await signals.tell(`${CAEP}credential-change`, signals.subject('hal'), { payload })).toEqual(
      TAKEN,
    );
    await deadWithin(api, performance.now());
    const { rows } = await sql(
      `SELECT count(*)::int AS left FROM "${signals.tenant.id}".trusted_devices WHERE user_id = $1`,
      [id],
    );
    expect(rows).toEqual([{ left: 0 }]);
  });
});

describe('events that change nothing', () => {
  it.each(['device-compliance-change', 'assurance-level-change', 'token-claims-change'])(
    '%s is logged',
    async (type) => {
      const sub = uniqueName('p');
      const { id, api } = await signals.signedIn(sub);
      expect(await signals.tell(`${CAEP}${type}`, signals.subject(sub))).toEqual(TAKEN);
      expect(await lastEvent(signals.tenant, 'signal.received')).toMatchObject({
        outcome: 'success',
        resource: { type: 'user', id },
        changes: { events: [`${CAEP}${type}`], effect: 'none' },
      });
      expect(await statusOf(api)).toBe(200);
    },
  );

  it('verification and stream-updated are kept where an administrator sees them', async () => {
    const about = { format: 'opaque', id: 'stream-1' };
    expect(await signals.tell(`${SSF}verification`, about, { payload: { state: 'VGhpcyBpcyBh' } })).toEqual(
      TAKEN,
    );
    expect(await signals.tell(`${SSF}stream-updated`, about, { payload: { status: 'paused' } })).toEqual(
      TAKEN,
    );
    const read = await must(
      signals.tenant.api.get<TransmitterDto>(`${TRANSMITTERS}/${signals.stream.id}`),
      200,
    );
    expect(read.verification?.state).toBe('VGhpcyBpcyBh');
    expect(read.stream?.status).toBe('paused');
    expect(read).not.toHaveProperty('token');
  });
});

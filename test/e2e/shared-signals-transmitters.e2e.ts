import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TokenOfTransmitterDto, TransmitterDto } from '../../src/shared-signals/transmitters.dto.js';
import {
  AUDIENCE,
  CAEP,
  newSigningKey,
  SSF,
  SsfTransmitter,
  type SigningKey,
} from '../fakes/ssf-transmitter.js';
import { must, refusal } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { sharedSite } from '../support/shared-application.js';
import { SECOND, Signals, TAKEN, TRANSMITTERS } from '../support/signals.js';
import { steppedUp } from '../support/single-sign-on.js';
import { createPerson, createTenant, type TestTenant } from '../support/tenants.js';

const app = sharedSite();
let signals: Signals;
let globex: TestTenant;
beforeAll(async () => {
  signals = await Signals.begin();
  globex = await createTenant(app);
});
afterAll(() => signals.end());

describe('keys of the transmitter', () => {
  it('are asked for once more, however many events come by names that nobody knows; a new one is known within seconds', async () => {
    const other = await SsfTransmitter.start('ES256');
    const { token } = await signals.registerOf(signals.tenant, { issuer: other.url });
    const deliver = async (key?: SigningKey): Promise<number> => {
      const set = await other.set(`${CAEP}session-revoked`, signals.subject('nobody'), key && { key });
      return (await signals.send(set, token)).status;
    };
    expect(await deliver()).toBe(202);
    const [former] = other.keys;
    const next = await newSigningKey('PS256');
    await Promise.all(Array.from({ length: 10 }, () => deliver(next)));
    expect(other.asked).toBe(2);
    other.keys = [next];
    await eventually(async () => expect(await deliver()).toBe(202), 20 * SECOND);
    expect(other.asked).toBe(3);
    expect(await deliver(former)).toBe(400);
    await other.close();
  });

  it('that cannot be had are a reason to send the event again, not to give it up', async () => {
    const other = await SsfTransmitter.start();
    const { token } = await signals.registerOf(signals.tenant, { issuer: other.url });
    other.down = true;
    const set = await other.set(`${CAEP}session-revoked`, signals.subject('nobody'));
    expect((await signals.send(set, token)).status).toBe(503);
    other.down = false;
    await eventually(async () => expect(await signals.send(set, token)).toEqual(TAKEN), 20 * SECOND);
    await other.close();
  });
});

describe('a transmitter', () => {
  it('is set by an administrator who has just proved who they are', async () => {
    const body = { name: 'x', issuer: signals.transmitter.url, audience: AUDIENCE };
    expect(await refusal(signals.tenant.api.post(TRANSMITTERS, body))).toEqual({
      status: 403,
      code: 'STEP_UP_NEEDS_SESSION',
    });
    const developer = await createPerson(signals.tenant.api, 'Developer');
    const session = await steppedUp(app, signals.tenant, developer);
    expect((await session.post(TRANSMITTERS, body)).status).toBe(403);
    expect((await session.get(TRANSMITTERS)).status).toBe(403);
  });

  it('is found by its issuer, which it must name itself by, and at no address that is out of reach', async () => {
    const session = await steppedUp(app, signals.tenant);
    expect(signals.stream.jwksUri).toBe(signals.transmitter.url.replace('/tenant-1', '/keys'));
    const origin = new URL(signals.transmitter.url).origin;
    for (const [wrong, code] of [
      [{ issuer: `${origin}/liar` }, 'PROVIDER_UNREACHABLE'],
      [{ issuer: `${origin}/nothing` }, 'PROVIDER_UNREACHABLE'],
      [{ issuer: 'http://169.254.169.254/latest' }, 'PROVIDER_UNREACHABLE'],
      [{ issuer: `${signals.transmitter.url}?a=b` }, 'INVALID_REQUEST'],
      [{ issuer: 'ftp://a.example' }, 'INVALID_REQUEST'],
      [{ jwksUri: 'file:///etc/passwd' }, 'INVALID_REQUEST'],
    ] as const) {
      const body = { name: 'x', issuer: signals.transmitter.url, audience: AUDIENCE, ...wrong };
      expect((await refusal(session.post(TRANSMITTERS, body))).code).toBe(code);
    }
  });

  it('reaches as far as whoever has set it last; a name sets nothing', async () => {
    const admin = await steppedUp(app, signals.tenant, await createPerson(signals.tenant.api, 'Admin'));
    const path = `${TRANSMITTERS}/${(await signals.registerOf(signals.tenant)).id}`;
    const change = async (body: object) =>
      (await must(admin.patch<TransmitterDto>(path, body), 200)).highestRole;
    expect(await change({ name: 'renamed' })).toBe('Owner');
    expect(await refusal(admin.post(`${path}/rotate-token`, {}))).toMatchObject({
      code: 'GRANT_EXCEEDS_OWN',
    });
    expect(await change({ emailSubjects: true })).toBe('Admin');
    expect((await admin.post(`${path}/rotate-token`, {})).status).toBe(200);
  });

  it('is nobody else’s: of another organisation it is not found', async () => {
    const session = await steppedUp(app, globex);
    expect((await session.get(`${TRANSMITTERS}/${signals.stream.id}`)).status).toBe(404);
    expect((await session.patch(`${TRANSMITTERS}/${signals.stream.id}`, { state: 'disabled' })).status).toBe(
      404,
    );
    expect((await session.post(`${TRANSMITTERS}/${signals.stream.id}/rotate-token`, {})).status).toBe(404);
    expect((await session.delete(`${TRANSMITTERS}/${signals.stream.id}`)).status).toBe(404);
  });

  it('has its token replaced, with the former one for as long as is said; disabled or deleted it has none', async () => {
    const session = await steppedUp(app, signals.tenant);
    const one = await signals.register(session);
    const deliver = async (token: string): Promise<number> =>
      (
        await signals.send(
          await signals.transmitter.set(`${SSF}verification`, { format: 'opaque', id: 's' }),
          token,
        )
      ).status;
    const rotate = (overlapSeconds: number) =>
      must(
        session.post<TokenOfTransmitterDto>(`${TRANSMITTERS}/${one.id}/rotate-token`, { overlapSeconds }),
        200,
      );
    const second = await rotate(3_600);
    expect([await deliver(one.token), await deliver(second.token)]).toEqual([202, 202]);
    const third = await rotate(0);
    const dead = async (token: string): Promise<void> => {
      const since = performance.now();
      while ((await deliver(token)) !== 401) expect(performance.now() - since).toBeLessThan(SECOND);
    };
    await dead(one.token);
    await dead(second.token);
    expect(await deliver(third.token)).toBe(202);
    await must(session.patch(`${TRANSMITTERS}/${one.id}`, { state: 'disabled' }), 200);
    await dead(third.token);
    await must(session.patch(`${TRANSMITTERS}/${one.id}`, { state: 'active' }), 200);
    expect(await deliver(third.token)).toBe(202);
    await must(session.delete(`${TRANSMITTERS}/${one.id}`), 204);
    await dead(third.token);
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TokensDto } from '../../src/auth/auth.dto.js';
import type { EnrolledDto } from '../../src/mfa/mfa.dto.js';
import { TextGateway } from '../fakes/text-gateway.js';
import { startApplication, type Application } from '../support/application.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import {
  BROWSER,
  challenged,
  eventsOf,
  login,
  proveFactor,
  setSecondFactor,
} from '../support/second-factors.js';
import { steppedUp } from '../support/single-sign-on.js';
import { newNumber, sendCode, Telephones, TELEPHONE_PATH, type BegunMessage } from '../support/telephones.js';
import { createPerson, createTenant, signIn, type Person, type TestTenant } from '../support/tenants.js';

const PER_DAY = 30;
const FAILED = { status: 401, code: 'SECOND_FACTOR_FAILED' };
const NO_CHALLENGE = { status: 401, code: 'CHALLENGE_INVALID' };
const NOT_OFFERED = { status: 403, code: 'TEXT_MESSAGES_NOT_OFFERED' };
const TOO_MANY = { status: 429, code: 'TOO_MANY_TEXT_MESSAGES' };

let gateway: TextGateway;
let app: Application;
let acme: TestTenant;
let other: TestTenant;
let telephones: Telephones;

beforeAll(async () => {
  gateway = await TextGateway.start();
  app = await startApplication({
    env: {
      RECEIVERS_ALLOW: '127.0.0.0/8',
      ...gateway.env,
      TEXT_MESSAGES_PREFIXES: '+4420,+49',
      TEXT_MESSAGES_PER_DAY: String(PER_DAY),
    },
  });
  [acme, other] = await Promise.all([createTenant(app), createTenant(app)]);
  telephones = new Telephones(app, acme, gateway);
  await setSecondFactor(await steppedUp(app, acme), { textMessages: true });
});
afterAll(async () => {
  await app.dispose();
  await gateway.close();
});
beforeEach(() => {
  gateway.forget();
  gateway.answers = [];
});

const developer = (): Promise<Person> => createPerson(acme.api, 'Developer');
const anyone = (): Client => client(app.baseUrl, undefined, BROWSER);
const send = (challenge: string) => sendCode(app, challenge);
const lastCode = (): string => gateway.lastCode;
const otherThan = (code: string): string => String((Number(code) + 1) % 1_000_000).padStart(6, '0');

async function reasons(action: string): Promise<(string | undefined)[]> {
  const events = await eventsOf(acme, action);
  return events.filter(({ outcome }) => outcome !== 'success').map(({ reason }) => reason);
}

function query(text: string): Promise<{ rows: unknown[] }> {
  return asSuperuser(app.home, 'us-east-1', (database) => database.query(text));
}

describe('a telephone', () => {
  it('is set up by a code that was sent to it, and then asked for', async () => {
    const person = await developer();
    const number = newNumber();
    const session = await steppedUp(app, acme, person);
    const { challenge } = await must(
      session.post<BegunMessage>(TELEPHONE_PATH, { number, name: 'Mine' }),
      200,
    );
    expect(gateway.messages).toMatchObject([{ to: number }]);
    const code = lastCode();
    const confirm = (shown: string) =>
      session.post<EnrolledDto>(`${TELEPHONE_PATH}/confirm`, { challenge, code: shown });
    expect(await refusal(confirm(otherThan(code)))).toEqual({ status: 422, code: 'ENROLMENT_FAILED' });
    expect((await login(app, acme, person)).status).toBe(200);
    const enrolled = await must(confirm(code), 200);
    expect(enrolled).toMatchObject({ type: 'sms', name: 'Mine' });
    expect(enrolled.recoveryCodes).toHaveLength(10);
    expect(JSON.stringify(enrolled)).not.toContain(number);
    expect((await confirm(code)).status).toBe(401);

    const due = await challenged(app, acme, person);
    expect(due.methods).toEqual(['sms', 'recovery_code']);
    // Nothing is sent, nor does the former code work, before it is asked for.
    expect(gateway.messages).toHaveLength(1);
    expect(await refusal(proveFactor(app, due.challenge, { sms: code }))).toEqual(FAILED);
    await must(send(due.challenge), 200);
    expect(gateway.messages.at(-1)?.to).toBe(number);
    expect(await refusal(proveFactor(app, due.challenge, { sms: otherThan(lastCode()) }))).toEqual(FAILED);
    await must(proveFactor(app, due.challenge, { sms: lastCode() }), 200);
    const { rows } = await query(`SELECT code_hash, number_hash FROM "${acme.id}".text_messages`);
    const stored = JSON.stringify(rows, (_, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
    );
    expect(stored).not.toContain(number);
    expect(app.logs()).not.toContain(number);
  });

  it('is answered with the last code of its own challenge only, for five minutes, five times tried', async () => {
    const person = await developer();
    await telephones.of(person);
    const first = await challenged(app, acme, person);
    const second = await challenged(app, acme, person);
    await must(send(first.challenge), 200);
    const former = lastCode();
    expect(await refusal(proveFactor(app, second.challenge, { sms: former }))).toEqual(FAILED);
    await must(send(first.challenge), 200);
    if (former !== lastCode())
      expect(await refusal(proveFactor(app, first.challenge, { sms: former }))).toEqual(FAILED);
    await query(
      `UPDATE "${acme.id}".text_messages SET sent_at = sent_at - make_interval(secs => 301) WHERE user_id = '${person.id}'`,
    );
    expect(await refusal(proveFactor(app, first.challenge, { sms: lastCode() }))).toEqual(FAILED);
    await must(send(second.challenge), 200);
    for (let tries = 0; tries < 4; tries += 1)
      await proveFactor(app, second.challenge, { sms: otherThan(lastCode()) });
    expect(await refusal(proveFactor(app, second.challenge, { sms: lastCode() }))).toEqual(NO_CHALLENGE);
    expect(await refusal(send(second.challenge))).toEqual(NO_CHALLENGE);
  });

  it('gives one session for one code that is shown twice at once', async () => {
    const { challenge } = await telephones.challenged();
    await must(send(challenge), 200);
    const sms = lastCode();
    const both = await Promise.all([
      proveFactor(app, challenge, { sms }),
      proveFactor(app, challenge, { sms }),
    ]);
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 401]);
  });

  it('proves again who holds a session', async () => {
    const { tokens } = await telephones.signedIn();
    const session = client(app.baseUrl, tokens.accessToken, BROWSER);
    const { challenge, methods } = await must(
      session.post<BegunMessage & { methods: string[] }>('/v1/auth/step-up/options'),
      200,
    );
    expect(methods).toContain('sms');
    expect((await send(challenge)).status).toBe(401);
    await must(session.post('/v1/auth/step-up/sms', { challenge }), 200);
    const prove = (sms: string) => refusal(session.post('/v1/auth/step-up', { challenge, sms }));
    expect(await prove(otherThan(lastCode()))).toEqual({ status: 403, code: 'SECOND_FACTOR_WRONG' });
    expect((await prove(lastCode())).status).toBe(200);
  });

  it('takes the place of a former one, and its messages go when its person is erased', async () => {
    const person = await developer();
    const session = await steppedUp(app, acme, person);
    for (const number of [newNumber(), newNumber()]) {
      const { challenge } = await must(session.post<BegunMessage>(TELEPHONE_PATH, { number }), 200);
      await must(session.post(`${TELEPHONE_PATH}/confirm`, { challenge, code: lastCode() }), 200);
    }
    const { items } = await must(session.get<{ items: object[] }>('/v1/me/second-factors'), 200);
    expect(items).toHaveLength(1);
    await must((await steppedUp(app, acme)).post(`/v1/users/${person.id}/erasure`), 200);
    const left = `SELECT 1 FROM "${acme.id}".text_messages WHERE user_id = '${person.id}'`;
    expect((await query(left)).rows).toEqual([]);
  });
});

describe('who may have one', () => {
  it('is nobody where the organisation has not said so', async () => {
    const person = await createPerson(other.api, 'Developer');
    const session = await steppedUp(app, other, person);
    expect(await refusal(session.post(TELEPHONE_PATH, { number: newNumber() }))).toEqual(NOT_OFFERED);
    expect(gateway.messages).toEqual([]);
  });

  it('is no Owner or Admin, nor somebody who becomes one', async () => {
    const owner = await steppedUp(app, acme);
    expect(await refusal(owner.post(TELEPHONE_PATH, { number: newNumber() }))).toEqual(NOT_OFFERED);
    expect(await reasons('second_factor.begun')).toContain('TEXT_MESSAGES_OF_ADMIN');
    const person = await developer();
    await telephones.of(person);
    await must(acme.api.patch(`/v1/users/${person.id}`, { role: 'Admin' }), 200);
    // It is still to be proved, and leads to setting up what counts: days of grace are for who had no factor.
    const { challenge, methods } = await challenged(app, acme, person);
    expect(methods).toEqual(['sms', 'recovery_code']);
    const described = anyone().post<BegunMessage & { methods: string[] }>('/v1/auth/second-factor/options', {
      challenge,
    });
    expect((await must(described, 200)).methods).toEqual(methods);
    await must(send(challenge), 200);
    const tokens = await must(proveFactor(app, challenge, { sms: lastCode(), trustDevice: true }), 200);
    expect(tokens.enrolmentOnly).toBe(true);
    const session = client(app.baseUrl, tokens.accessToken, BROWSER);
    expect(await refusal(session.get('/v1/users'))).toMatchObject({ status: 403 });
    expect((await session.get('/v1/me/second-factors')).status).toBe(200);
    expect((await challenged(app, acme, person)).methods).toContain('sms');
  });

  it('is nobody whom a grant makes an Admin: the session ends where it would be refreshed', async () => {
    const [granted, other] = [await telephones.signedIn(), await telephones.signedIn()];
    const body = { principal: { type: 'user', id: granted.person.id }, role: 'Admin' };
    await must(acme.api.post('/v1/grants', body), 201);
    const refresh = ({ tokens: { refreshToken } }: { tokens: TokensDto }) =>
      client(app.baseUrl, undefined, BROWSER).post<TokensDto>('/v1/auth/refresh', { refreshToken });
    expect((await refresh(granted)).status).toBe(401);
    expect((await refresh(other)).status).toBe(200);
  });

  it('is nobody any more once the organisation takes that back', async () => {
    const { person, challenge } = await telephones.challenged();
    const owner = await steppedUp(app, acme);
    await setSecondFactor(owner, { textMessages: false });
    expect(await refusal(send(challenge))).toEqual(NOT_OFFERED);
    // Nothing is left that could be proved, and who had a factor does not fall back to a password alone.
    const { enrolmentOnly } = await must(login(app, acme, person), 200);
    expect(enrolmentOnly).toBe(true);
    await setSecondFactor(owner, { textMessages: true });
    expect((await login(app, acme, person)).status).toBe(202);
    expect(gateway.messages).toEqual([]);
  });

  it.each([
    ['+12025550100', 422],
    ['+442179460000', 422],
    ['02079460000', 400],
    ['+44', 400],
  ])('is nobody with the number %s', async (number, status) => {
    const session = await steppedUp(app, acme, await developer());
    expect((await session.post(TELEPHONE_PATH, { number })).status).toBe(status);
    expect(gateway.posted).toEqual([]);
  });
});

describe('the gateway', () => {
  it('is asked once more, with the same id, and then the caller is told', async () => {
    const { challenge } = await telephones.challenged();
    gateway.answers = [500];
    await must(send(challenge), 200);
    expect(gateway.posted).toHaveLength(2);
    expect(new Set(gateway.posted).size).toBe(1);
    gateway.answers = [500, 500];
    expect(await refusal(send(challenge))).toEqual({ status: 503, code: 'TEXT_MESSAGE_NOT_TAKEN' });
    expect(gateway.posted).toHaveLength(4);
  });
});

describe('too many', () => {
  it('for one person are refused, of many at once as well', async () => {
    const { challenge } = await telephones.challenged();
    const sent = await Promise.all(Array.from({ length: 8 }, () => send(challenge)));
    // Five an hour: one was for setting it up.
    expect(sent.filter(({ status }) => status === 200)).toHaveLength(4);
    expect(gateway.messages).toHaveLength(4);
    expect(await refusal(send(challenge))).toEqual(TOO_MANY);
    expect(await reasons('text_message.sent')).toContain('TEXT_MESSAGES_OF_PERSON');
  });

  it('to one number are refused, whoever asks', async () => {
    const number = newNumber();
    await telephones.of(await developer(), number);
    // As if it had been sent to all day long, for others.
    await query(`UPDATE "${acme.id}".text_messages SET sent_at = sent_at - interval '2 days'`);
    await telephones.of(await developer(), number);
    const mine = `SELECT number_hash FROM "${acme.id}".text_messages ORDER BY sent_at DESC LIMIT 1`;
    await query(`INSERT INTO "${acme.id}".text_messages (id, user_id, number_hash, code_hash, sent_at)
      SELECT gen_random_uuid(), user_id, (${mine}), code_hash, now() - interval '2 hours'
      FROM "${acme.id}".text_messages, generate_series(1, 9) LIMIT 9`);
    const session = await steppedUp(app, acme, await developer());
    expect(await refusal(session.post(TELEPHONE_PATH, { number }))).toEqual(TOO_MANY);
    expect(await reasons('second_factor.begun')).toContain('TEXT_MESSAGES_TO_NUMBER');
    await must(session.post(TELEPHONE_PATH, { number: newNumber() }), 200);
  });

  it('of one organisation in a day are refused, and those of another are not', async () => {
    await query(`UPDATE "${acme.id}".text_messages SET sent_at = sent_at - interval '2 days'`);
    await telephones.of(await developer());
    await query(`INSERT INTO "${acme.id}".text_messages (id, user_id, number_hash, code_hash, sent_at)
      SELECT gen_random_uuid(), user_id, decode(md5(n::text), 'hex'), code_hash, now() - interval '2 hours'
      FROM "${acme.id}".text_messages, generate_series(1, ${PER_DAY - 1}) AS n ORDER BY n LIMIT ${PER_DAY - 1}`);
    const ask = (session: Client) => session.post(TELEPHONE_PATH, { number: newNumber() });
    expect(await refusal(ask(await steppedUp(app, acme, await developer())))).toEqual(TOO_MANY);
    expect(await reasons('second_factor.begun')).toContain('TEXT_MESSAGES_OF_ORGANISATION');
    await setSecondFactor(await steppedUp(app, other), { textMessages: true });
    await must(ask(await steppedUp(app, other, await createPerson(other.api, 'Developer'))), 200);
  });

  it('are not asked for without a session that has proved itself again', async () => {
    const person = await developer();
    const session = client(app.baseUrl, (await signIn(app, acme.slug, person)).accessToken);
    expect(await refusal(session.post(TELEPHONE_PATH, { number: newNumber() }))).toEqual({
      status: 403,
      code: 'STEP_UP_REQUIRED',
    });
  });
});

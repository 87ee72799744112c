import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBreachedPasswords, type BreachedPasswords } from '../fakes/breached-passwords.js';
import { startMailbox, type Mailbox } from '../fakes/mailbox.js';
import { startApplication, type Application } from '../support/application.js';
import { client, must, refusal, type Answer, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { challenged, proveFactor, withTotp } from '../support/second-factors.js';
import { attempt, FAILED, lockForStrangers, stranger } from '../support/strangers.js';
import { createPerson, createTenant, signIn, type Person, type TestTenant } from '../support/tenants.js';
import { codeNow } from '../support/totp.js';

const LEAKED = 'Tr0mbone & harmonica';
const NEW = 'Marmalade on 12 scones';
const DEAD = { status: 401, code: 'INVALID_CREDENTIAL' };
const LINK_INVALID = { status: 422, code: 'RESET_LINK_INVALID' };

let mailbox: Mailbox;
let breaches: BreachedPasswords;
let app: Application;
let acme: TestTenant;

beforeAll(async () => {
  [mailbox, breaches] = [await startMailbox(), await startBreachedPasswords(LEAKED)];
  app = await startApplication({
    env: {
      SMTP_URL: mailbox.url,
      PASSWORD_BREACH_CHECK: 'true',
      PASSWORD_BREACH_URL: breaches.url,
      PASSWORD_RESET_URL: 'https://app.waxell.example/new-password',
      TRUSTED_PROXIES: '1',
    },
  });
  acme = await createTenant(app);
});
afterAll(async () => {
  await app.dispose();
  await breaches.close();
  await mailbox.close();
});

const ask = (email: string, slug = acme.slug): Promise<Answer<unknown>> =>
  client(app.baseUrl, undefined, { 'x-tenant-slug': slug, ...stranger() }).post('/v1/auth/password-reset', {
    email,
  });

function confirm(token: string, password: string, headers = stranger()) {
  return refusal(
    client(app.baseUrl, undefined, headers).post('/v1/auth/password-reset/confirm', { token, password }),
  );
}

/** The tokens of all links that a person was mailed. */
function tokensOf({ email }: Person): string[] {
  return mailbox.mails
    .filter(({ to }) => to.includes(email))
    .map(
      ({ text }) =>
        /new-password#token=3D(wxp_[\w=\r\n-]+?)\s*\r\n\r\n/.exec(text)?.[1] ??
        /#token=(\S+)/.exec(text)?.[1] ??
        '',
    )
    .map((token) => token.replaceAll('=\r\n', '').replace(/^3D/, ''));
}

async function mailed(person: Person): Promise<string> {
  const before = tokensOf(person).length;
  expect((await ask(person.email)).status).toBe(202);
  return eventually(async () => {
    const tokens = tokensOf(person);
    expect(tokens.length).toBe(before + 1);
    return Promise.resolve(tokens.at(-1) ?? '');
  }, 15_000);
}

const session = async (person: Person): Promise<Client> =>
  client(app.baseUrl, (await signIn(app, acme.slug, person)).accessToken);

describe('a new password', () => {
  it('that was in a breach is refused wherever one is set, and nobody is told which it was', async () => {
    const person = await createPerson(acme.api, 'Viewer');
    breaches.asked.length = 0;
    const body = { email: 'leaked@people.example', role: 'Viewer', password: LEAKED };
    const created = await acme.api.post('/v1/users', body);
    expect([created.status, created.body.errors?.[0]?.pointer]).toEqual([400, '/password']);
    expect(JSON.stringify(created.body)).toContain('data breach');
    const change = { currentPassword: person.password, newPassword: LEAKED };
    const changed = await (await session(person)).post('/v1/auth/password', change);
    expect([changed.status, changed.body.errors?.[0]?.pointer]).toEqual([400, '/newPassword']);
    expect((await confirm(await mailed(person), LEAKED)).status).toBe(400);
    const operator = client(app.baseUrl, app.firstRun.operatorKey);
    const owner = { email: 'o@leaked.example', password: LEAKED };
    const tenant = await operator.post('/v1/tenants', { slug: 'leaked', name: 'Leaked', owner });
    expect([tenant.status, tenant.body.errors?.[0]?.pointer]).toEqual([400, '/owner/password']);
    expect(breaches.asked).toHaveLength(4);
    expect(breaches.asked.every((url) => /^\/range\/[0-9A-F]{5}$/.test(url))).toBe(true);
  });

  it('is refused where it is common, made of one kind of characters, or of the person', async () => {
    for (const password of ['Password1234!', 'onlysmallletters', 'Zoe.Miller on tour 1']) {
      const body = { email: 'zoe.miller@people.example', role: 'Viewer', password };
      expect((await acme.api.post('/v1/users', body)).status).toBe(400);
    }
  });
});

describe('a link for a new password', () => {
  it('is mailed to whom it concerns, works once, while the account is locked too, and ends all sessions', async () => {
    const person = await createPerson(acme.api, 'Developer');
    const open = await session(person);
    await lockForStrangers(app, acme, person);
    const at = stranger();
    expect(await refusal(attempt(app, acme, person, at) as never)).toEqual(FAILED);
    const token = await mailed(person);
    expect((await confirm(token, 'too short')).status).toBe(400);
    expect((await confirm(token, NEW, at)).status).toBe(204);
    expect(await confirm(token, `${NEW} 2`)).toEqual(LINK_INVALID);
    await eventually(async () => expect(await refusal(open.get('/v1/me'))).toEqual(DEAD), 1_000);
    expect((await attempt(app, acme, { ...person, password: NEW }, at)).status).toBe(200);
    expect(await refusal(attempt(app, acme, person) as never)).toEqual(FAILED);
    const events = await acme.api.all<{ action: string; resource?: { id: string } }>('/v1/audit/events');
    const own = events.filter(
      ({ action, resource }) => action.startsWith('password.') && resource?.id === person.id,
    );
    expect(own.map(({ action }) => action)).toContain('password.reset');
    expect(JSON.stringify(events)).not.toContain(token);
    expect(app.logs()).not.toContain(token);
  });

  it('is answered alike for whoever is unknown, disabled, or of no organisation; nobody of them gets one', async () => {
    const disabled = await createPerson(acme.api, 'Viewer');
    await must(acme.api.patch(`/v1/users/${disabled.id}`, { status: 'disabled' }), 200);
    const known = await createPerson(acme.api, 'Viewer');
    const answers = [
      await ask('nobody@people.example'),
      await ask(disabled.email),
      await ask(known.email, 'no-such-organisation'),
      await ask(known.email),
    ];
    expect(new Set(answers.map(({ status, body }) => JSON.stringify([status, body]))).size).toBe(1);
    await eventually(async () => Promise.resolve(expect(tokensOf(known)).toHaveLength(1)), 15_000);
    expect(tokensOf(disabled)).toEqual([]);
    expect(mailbox.mails.some(({ to }) => to.includes('nobody@people.example'))).toBe(false);
  });

  it.each(['', 'wxp_x', `wxp_${'0'.repeat(16)}_${'a'.repeat(43)}`])(
    'that nobody was mailed is none: %j',
    async (token) => {
      expect([400, 422]).toContain((await confirm(token, NEW)).status);
    },
  );

  it('is of no use after half an hour, and where a newer one was used', async () => {
    const person = await createPerson(acme.api, 'Viewer');
    const [first, second] = [await mailed(person), await mailed(person)];
    expect((await confirm(second, NEW)).status).toBe(204);
    expect(await confirm(first, `${NEW} 2`)).toEqual(LINK_INVALID);
    const late = await mailed(person);
    await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query(`UPDATE "${acme.id}".password_resets SET expires_at = now() WHERE used_at IS NULL`),
    );
    expect(await confirm(late, `${NEW} 2`)).toEqual(LINK_INVALID);
  });

  it('is sent at most three times an hour to the same person', async () => {
    const person = await createPerson(acme.api, 'Viewer');
    for (let at = 0; at < 5; at += 1) await ask(person.email);
    await eventually(async () => {
      const { rows } = await asSuperuser(app.home, 'us-east-1', (database) =>
        database.query('SELECT 1 FROM work.password_resets'),
      );
      expect(rows).toEqual([]);
    }, 15_000);
    expect(tokensOf(person)).toHaveLength(3);
  });

  it('reaches the person although the mail server was away, and the process was killed meanwhile', async () => {
    const person = await createPerson(acme.api, 'Viewer');
    mailbox.refuse = 1;
    await ask(person.email);
    await eventually(async () => Promise.resolve(expect(mailbox.refuse).toBe(0)), 15_000);
    await app.kill9();
    await app.start();
    // The pause until it is tried again is over.
    await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query('UPDATE work.password_resets SET due_at = now()'),
    );
    const [token = ''] = await eventually(async () => {
      expect(tokensOf(person)).toHaveLength(1);
      return Promise.resolve(tokensOf(person));
    }, 20_000);
    expect((await confirm(token, NEW)).status).toBe(204);
  });
});

describe('second factors', () => {
  it('are told of to their person by mail, each change and each use of a recovery code', async () => {
    const person = await createPerson(acme.api, 'Developer');
    const told = (): string =>
      mailbox.mails
        .filter(({ to }) => to.includes(person.email))
        .map(({ text }) => text)
        .join();
    const toldOf = (what: string): Promise<void> =>
      eventually(() => Promise.resolve(expect(told()).toContain(what)), 5_000);
    const known = await withTotp(app, acme, person);
    await toldOf('A second factor was added to your account');
    const { challenge } = await challenged(app, acme, person, {});
    const [recoveryCode = ''] = known.recoveryCodes;
    const { accessToken } = await must(proveFactor(app, challenge, { recoveryCode }, {}), 200);
    await toldOf('A recovery code was used');
    const session = client(app.baseUrl, accessToken);
    await must(session.post('/v1/auth/step-up', { totp: codeNow(known.secret) }), 200);
    await must(session.post('/v1/me/recovery-codes'), 201);
    await toldOf('Your recovery codes were replaced');
    await must(session.delete(`/v1/me/second-factors/${known.factor.id}`), 204);
    await toldOf('A second factor was removed');
    for (const secret of [known.secret, ...known.recoveryCodes]) expect(told()).not.toContain(secret);
  });
});

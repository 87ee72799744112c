import { afterAll, beforeAll, expect, it } from 'vitest';
import { startMailbox, type Mailbox } from '../fakes/mailbox.js';
import { startApplication, type Application } from '../support/application.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { verified } from '../support/log-book.js';
import { createPerson, createTenant, signIn, type Person, type TestTenant } from '../support/tenants.js';

const REGION = 'eu-west-1';
const WAIT_MS = 20_000;

let mailbox: Mailbox;
let app: Application;
let acme: TestTenant;
let neighbour: TestTenant;
let admin: Person;

beforeAll(async () => {
  mailbox = await startMailbox();
  app = await startApplication({ env: { SMTP_URL: mailbox.url } });
  [acme, neighbour] = [
    await createTenant(app, { region: REGION }),
    await createTenant(app, { region: REGION }),
  ];
  admin = await createPerson(acme.api, 'Admin');
  await createPerson(acme.api, 'Developer');
  await createPerson(neighbour.api, 'Admin');
});
afterAll(async () => {
  await app.dispose();
  await mailbox.close();
});

/** The owner, who has just proved the password. */
async function provenOwner(): Promise<Client> {
  const owner = client(app.baseUrl, (await signIn(app, acme.slug, acme.owner)).accessToken);
  await must(owner.post('/v1/auth/step-up', { password: acme.owner.password }), 200);
  return owner;
}

const schedule = (owner: Client): Promise<unknown> =>
  owner.post('/v1/keys/deletion', { waitDays: 7, confirm: acme.slug });

/** Whom a mail with these words has come to, one by one. */
const told = (words: string): string[] =>
  mailbox.mails
    .filter(({ text }) => text.replaceAll(/=?\r?\n/g, '').includes(words))
    .flatMap(({ to }) => to)
    .toSorted();
const everyAdministrator = (): string[] => [acme.owner.email, admin.email].toSorted();

const toldEverybody = (words: string): Promise<void> =>
  eventually(async () => expect(told(words)).toEqual(everyAdministrator()), WAIT_MS);

async function events(action: string): Promise<{ actor: { type: string; id: string } }[]> {
  const all = await acme.api.all<{ action: string; outcome: string; actor: { type: string; id: string } }>(
    '/v1/audit/events',
  );
  return all.filter((event) => event.action === action && event.outcome === 'success');
}

/** As if the deletion had been scheduled so much earlier, and is looked at now. */
const earlier = (interval: string): Promise<unknown> =>
  asSuperuser(app.home, 'us-east-1', (database) =>
    database.query(
      `UPDATE control.operations SET created_at = created_at - $2::interval, due_at = now()
       WHERE tenant = $1 AND kind = 'keys.deletion' AND status = 'running'`,
      [acme.id, interval],
    ),
  );

/** Until it is at this step, and nobody works on it. */
const waiting = (step: string): Promise<void> =>
  eventually(async () => {
    const { rows } = await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query(
        `SELECT step, lease_id FROM control.operations WHERE tenant = $1 AND kind = 'keys.deletion' AND status = 'running'`,
        [acme.id],
      ),
    );
    expect(rows).toEqual([{ step, lease_id: null }]);
  }, WAIT_MS);

it('a deletion of keys whose process is killed once it is scheduled stands in the log once, by whom, and is announced', async () => {
  const owner = await provenOwner();
  // Nothing gets into the organisation's log, while the registry, in another database, changes.
  await asSuperuser(app.home, REGION, async (database) => {
    // The server is killed with the process.
    database.on('error', () => undefined);
    await database.query('BEGIN');
    await database.query('SELECT 1 FROM audit.heads WHERE tenant = $1 FOR UPDATE', [acme.id]);
    const answer = schedule(owner).catch(() => undefined);
    await eventually(async () => {
      const scheduled = await asSuperuser(app.home, 'us-east-1', (home) =>
        home.query(`SELECT 1 FROM control.operations WHERE tenant = $1 AND kind = 'keys.deletion'`, [
          acme.id,
        ]),
      );
      expect(scheduled.rowCount).toBe(1);
    }, WAIT_MS);
    await app.kill9();
    expect(await answer).toBeUndefined();
  });
  await app.start();
  await toldEverybody('Their destruction is scheduled');
  const actor = { type: 'user', id: acme.owner.id };
  expect(await events('keys.deletion_scheduled')).toEqual([
    expect.objectContaining({ actor: expect.objectContaining(actor) as unknown }),
  ]);
  await verified(acme.api);
});

it('its last day is told too, to each once, also where the mail server was away', async () => {
  await waiting('remind');
  mailbox.refuse = 1;
  await earlier('6 days 1 hour');
  await eventually(async () => expect(await Promise.resolve(mailbox.refuse)).toBe(0), WAIT_MS);
  await waiting('remind');
  await eventually(async () => {
    // What waits for the mail server is due at once.
    await earlier('0 seconds');
    expect(told('Last day')).toEqual(everyAdministrator());
  }, WAIT_MS);
});

it('that it was cancelled is told, and that the next one has begun, which then nobody can cancel', async () => {
  const unproven = client(app.baseUrl, (await signIn(app, acme.slug, acme.owner)).accessToken);
  expect(await refusal(unproven.delete('/v1/keys/deletion'))).toMatchObject({ code: 'STEP_UP_REQUIRED' });
  const owner = await provenOwner();
  await must(owner.delete('/v1/keys/deletion'), 204);
  await toldEverybody('Their destruction was cancelled');
  expect(await events('keys.deletion_cancelled')).toHaveLength(1);
  expect(await schedule(owner)).toMatchObject({ status: 202 });
  await waiting('remind');
  expect(told('Their destruction is scheduled')).toHaveLength(4);
  // The mail server is down: addresses are needed until it has heard.
  mailbox.refuse = 1;
  await earlier('7 days 1 minute');
  await eventually(async () => expect(await Promise.resolve(mailbox.refuse)).toBe(0), WAIT_MS);
  await waiting('tell');
  expect(await refusal(owner.delete('/v1/keys/deletion'))).toMatchObject({ code: 'KEY_DELETION_BEGUN' });
  await eventually(async () => {
    await earlier('0 seconds');
    expect(told('at this moment')).toEqual(everyAdministrator());
  }, WAIT_MS);
  await eventually(async () => expect(await events('keys.destroyed')).toHaveLength(1), WAIT_MS);
  await must(neighbour.api.get('/v1/users'), 200);
  for (const { to } of mailbox.mails) expect(everyAdministrator()).toContain(to[0]);
}, 120_000);

/**
 * `npm run tour`: boots the built application in a data folder of its own and walks its main job, as people would and
 * as intruders would. Prints what was done and what came back; exits with 0 only if everything held.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Caller } from './api.ts';
import { startApplication, type Application } from './application.ts';
import { forgedEventRejected, readLog, tamper } from './audit.ts';
import { cancelOwnRunOnly } from './cancel.ts';
import { EmbeddedDatabase } from './database.ts';
import { forgeEvent, hostileSql } from './hostile-sql.ts';
import { Narrator } from './narrator.ts';
import { asNeighbour, inject } from './neighbour.ts';
import { buildAndRun, developerKey, MODEL, text, type Organisation } from './organisation.ts';

/** Stands in the first organisation's data, to be looked for in what the second one gets to see. */
const CONFIDENTIAL = 'Project Bluebird';

async function walk(tell: Narrator, app: Application): Promise<void> {
  const { baseUrl, tenant, ownerEmail, ownerPassword, apiKey, operatorKey } = app.first;
  for (const secret of [ownerPassword, apiKey, operatorKey]) tell.secret(secret);

  tell.step(
    `The first start makes an organisation (${(app.startedInMs / 1_000).toFixed(1)} s, with its database)`,
  );
  tell.show('first-run.json', app.first, 400);
  const me = await new Caller(baseUrl, apiKey).get('/v1/me');
  tell.show('GET /v1/me', me.text, 200);
  tell.check(
    'the API key of the first start works',
    me.status === 200 && text(me, 'tenant', 'slug') === tenant,
  );
  const stranger = await new Caller(baseUrl).get('/v1/me');
  tell.check('without a credential: 401', stranger.status === 401, stranger.text);
  const demo: Organisation = {
    slug: tenant,
    id: text(me, 'tenant', 'id'),
    owner: new Caller(baseUrl, apiKey),
  };

  tell.step('Its owner signs in and makes an API key');
  const person = { slug: tenant, email: ownerEmail, password: ownerPassword };
  const developer = await developerKey(tell, baseUrl, person);

  tell.step('With that key: a project, an agent, published, and a run whose events stream');
  const made = await buildAndRun(tell, developer, {
    instructions: `Greet people. Mention ${CONFIDENTIAL} to nobody.`,
    model: MODEL,
    input: 'Good morning from the tour',
    answer: /Good morning from the tour/,
  });

  if (process.env['OPENAI_BASE_URL'] !== undefined) {
    tell.step(`The same with a model at ${process.env['OPENAI_BASE_URL']}`);
    const name = process.env['OPENAI_MODEL'] ?? 'gpt-4o-mini';
    const model = { provider: 'openai', name };
    await buildAndRun(tell, developer, {
      instructions: 'Answer briefly.',
      model,
      input: 'hello',
      answer: /\S/,
    });
  }

  tell.step('The operator makes a second organisation');
  const operator = new Caller(baseUrl, operatorKey);
  const created = await operator.post('/v1/tenants', {
    slug: 'globex',
    name: 'Globex',
    owner: { email: 'owner@globex.example' },
  });
  const password = tell.secret(text(created, 'owner', 'password'));
  tell.show('POST /v1/tenants', created.text, 300);
  tell.check('it has an id and an owner of its own', created.status === 201 && password !== '', created.text);
  const outside = await operator.get('/v1/agents');
  tell.check('the operator sees into no organisation (403)', outside.status === 403, outside.text);
  const neighbour = await developerKey(tell, baseUrl, {
    slug: 'globex',
    email: 'owner@globex.example',
    password,
  });
  const login = await new Caller(baseUrl, undefined, 'globex').post('/v1/auth/login', {
    email: 'owner@globex.example',
    password,
  });
  const globexOwner = new Caller(baseUrl, tell.secret(text(login, 'accessToken')));
  const globex: Organisation = { slug: 'globex', id: text(created, 'id'), owner: globexOwner };

  tell.step('The second organisation cannot see the first through the API');
  await asNeighbour(tell, neighbour, demo, made);

  tell.step('nor by SQL in what it sends');
  await inject(tell, globexOwner, demo, CONFIDENTIAL);

  tell.step('nor by any SQL of its own, sent through the driver under its database role');
  const database = await EmbeddedDatabase.of(app.home);
  await hostileSql(tell, database, globex.id, demo.id);

  tell.step('nor can it stop what the first one runs');
  await cancelOwnRunOnly(tell, developer, made.projectId, database, globex.id);

  tell.step("nor can it write into the other's audit log");
  await forgeEvent(database, globex.id, demo.id);
  await forgedEventRejected(tell, globex.owner, demo.owner);

  tell.step('The audit log proves what happened');
  await readLog(tell, demo.owner);

  tell.step('and shows when somebody changes it');
  await tamper(tell, demo.owner, database, demo.id);
}

async function end(tell: Narrator, app: Application): Promise<void> {
  tell.step('It stops cleanly');
  const postmaster = Number(
    (await readFile(join(app.home, 'postgres/postmaster.pid'), 'utf8')).split('\n')[0],
  );
  const { code, signal } = await app.stop();
  tell.check('the process ends with code 0 on SIGTERM', code === 0, { code, signal });
  tell.check('and leaves no database behind', !isAlive(postmaster));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const begun = Date.now();
const tell = new Narrator();
const interrupted = new AbortController();
let app: Application | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    interrupted.abort(new Error(`interrupted by ${signal}`));
    void app?.remove().finally(() => process.exit(130));
  });
}
try {
  app = await startApplication({
    signal: interrupted.signal,
    env: {
      OPENAI_BASE_URL: process.env['OPENAI_BASE_URL'],
      OPENAI_API_KEY: process.env['OPENAI_API_KEY'] ?? 'none',
    },
  });
  await walk(tell, app);
  await end(tell, app);
} catch (error) {
  tell.check(`the tour went on to its end: ${error instanceof Error ? error.stack : String(error)}`, false);
} finally {
  await app?.remove();
}
const seconds = ((Date.now() - begun) / 1_000).toFixed(1);
const { failures, held } = tell;
process.stdout.write(`\n${held} facts held, ${failures.length} did not, in ${seconds} s.\n`);
for (const failure of failures) process.stdout.write(`  \u2717 ${failure}\n`);
process.exitCode = failures.length === 0 ? 0 : 1;

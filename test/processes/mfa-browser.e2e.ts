import { afterAll, beforeAll, expect, it } from 'vitest';
import { startApplication, type Application } from '../support/application.js';
import { Chromium } from '../support/chromium.js';
import { haveProgram } from '../support/debian-package.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

/** What of a browser the functions below use there. */
interface Answered<T> {
  readonly status: number;
  readonly body: T;
}

const there = await haveProgram('chromium', 'chromium');
if (!there)
  process.stderr.write('SKIPPED: passkeys in a browser: no Chromium here and none can be installed\n');

let app: Application;
let chromium: Chromium;
let acme: TestTenant;

beforeAll(async () => {
  if (!there) return;
  app = await startApplication();
  acme = await createTenant(app);
  chromium = await Chromium.start();
  // Any page of the application's own origin.
  await chromium.send('Page.navigate', { url: `${app.baseUrl.replace('127.0.0.1', 'localhost')}/healthz` });
  await chromium.send('WebAuthn.enable');
  await chromium.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
});
afterAll(async () => {
  await chromium?.stop();
  await app?.dispose();
});

function send<T>(method: string, path: string, body?: object): Promise<Answered<T>> {
  return chromium.call(
    async (how: string, to: string, what: object | null, slug: string) => {
      const response = await fetch(to, {
        method: how,
        headers: { 'content-type': 'application/json', 'x-tenant-slug': slug },
        ...(what && { body: JSON.stringify(what) }),
      });
      const text = await response.text();
      return { status: response.status, body: (text === '' ? null : JSON.parse(text)) as T };
    },
    method,
    path,
    body ?? null,
    acme.slug,
  );
}

/** The browser's own calls, as a page makes them; text, since the DOM's types are not ours. */
function ask(kind: 'create' | 'get', options: object): Promise<object> {
  const parse = { create: 'parseCreationOptionsFromJSON', get: 'parseRequestOptionsFromJSON' }[kind];
  return chromium.evaluate(
    `navigator.credentials.${kind}({ publicKey: PublicKeyCredential.${parse}(${JSON.stringify(options)}) })
      .then((credential) => credential.toJSON())`,
  );
}

interface Begun {
  readonly challenge: string;
  readonly options: object;
  readonly webauthn: object;
}

it.runIf(there)(
  'a browser sets a passkey up, signs in with it alone, and proves itself again with it',
  async () => {
    const { email, password } = acme.owner;
    expect((await send('POST', '/v1/auth/login', { email, password })).status).toBe(200);
    expect((await send('POST', '/v1/auth/step-up', { password })).status).toBe(200);
    const enrolment = await send<Begun>('POST', '/v1/me/second-factors/webauthn/options');
    expect(enrolment.status).toBe(200);
    const credential = await ask('create', enrolment.body.options);
    const enrolled = await send('POST', '/v1/me/second-factors/webauthn', {
      challenge: enrolment.body.challenge,
      credential,
      name: 'This browser',
    });
    expect(enrolled).toMatchObject({ status: 201, body: { type: 'webauthn', name: 'This browser' } });
    expect((await send('POST', '/v1/auth/logout')).status).toBe(204);
    expect((await send('GET', '/v1/me')).status).toBe(401);

    const passkey = await send<Begun>('POST', '/v1/auth/passkey/options');
    const signedIn = await send('POST', '/v1/auth/passkey', {
      challenge: passkey.body.challenge,
      webauthn: await ask('get', passkey.body.webauthn),
    });
    expect(signedIn.status).toBe(200);
    expect(await send('GET', '/v1/me')).toMatchObject({ status: 200, body: { user: { email } } });

    expect((await send('POST', '/v1/me/recovery-codes')).status).toBe(403);
    const again = await send<Begun>('POST', '/v1/auth/step-up/options');
    const proved = await send('POST', '/v1/auth/step-up', {
      challenge: again.body.challenge,
      webauthn: await ask('get', again.body.webauthn),
    });
    expect(proved.status).toBe(200);
    expect((await send('POST', '/v1/me/recovery-codes')).status).toBe(201);
  },
);

it.runIf(there)(
  'a browser proves a second factor after the password with it, and not on a page of another origin',
  async () => {
    const { email, password } = acme.owner;
    const due = await send<Begun>('POST', '/v1/auth/login', { email, password });
    expect(due.status).toBe(202);
    const webauthn = await ask('get', due.body.webauthn);
    const done = await send('POST', '/v1/auth/second-factor', { challenge: due.body.challenge, webauthn });
    expect(done.status).toBe(200);
    const { body } = await send<Begun>('POST', '/v1/auth/login', { email, password });
    // The same application by its address, which is not what it is called by.
    await chromium.send('Page.navigate', { url: `${app.baseUrl}/healthz` });
    await expect(ask('get', body.webauthn)).rejects.toThrow(/SecurityError|invalid domain/i);
  },
);

import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { ApiKeys } from './auth/index.js';
import { CreateOrganisation } from './organisations/index.js';
import { keepSecret } from './platform/config/kept-secret.js';
import { writeOnce } from './platform/config/write-once.js';
import { TenantDatabase } from './platform/database/index.js';
import { newKey, operatorKeyHash } from './platform/http/credential.js';
import { UnitOfWork } from './requests/index.js';
import { TenantRegistry } from './tenancy/index.js';

const TENANT = 'demo';
const OWNER_EMAIL = 'owner@demo.example';

/** What the embedded mode's first start writes down for its user. */
export interface FirstRun {
  readonly baseUrl: string;
  readonly tenant: string;
  readonly ownerEmail: string;
  readonly ownerPassword: string;
  readonly apiKey: string;
  readonly operatorKey: string;
}

export function firstRunFile(home: string): string {
  return join(home, 'first-run.json');
}

/** The operator key of an embedded installation: made at the first start. */
export async function embeddedOperatorKeyHash(home: string): Promise<Buffer> {
  return operatorKeyHash(await operatorKey(home));
}

async function operatorKey(home: string): Promise<string> {
  const file = join(home, 'operator-key');
  await writeOnce(file, `${newKey('operator')}\n`);
  return (await readFile(file, 'utf8')).trim();
}

/**
 * Creates the organisation `demo` with its owner and an API key, and writes the credentials to a file that only its
 * owner can read. What is chosen at random is kept before it is used, so that a crash anywhere in between is made good
 * by the next start.
 */
export async function firstRun(
  app: NestExpressApplication,
  home: string,
  baseUrl: string,
): Promise<FirstRun> {
  const file = firstRunFile(home);
  const existing = await readFirstRun(file);
  if (existing) {
    if (existing.baseUrl !== baseUrl) await replace(file, { ...existing, baseUrl });
    return { ...existing, baseUrl };
  }
  const ownerPassword = await keepSecret(join(home, 'owner-password'));
  await createDemo(app, ownerPassword);
  const apiKey = await createKey(app);
  const created: FirstRun = {
    baseUrl,
    tenant: TENANT,
    ownerEmail: OWNER_EMAIL,
    ownerPassword,
    apiKey,
    operatorKey: await operatorKey(home),
  };
  await replace(file, created);
  return created;
}

async function createDemo(app: NestExpressApplication, password: string): Promise<void> {
  const tenants = app.get(TenantRegistry);
  const existing = await tenants.bySlug(TENANT);
  if (existing && existing.status !== 'creating') return;
  const owner = { email: OWNER_EMAIL, password, displayName: 'Demo Owner' };
  await app.get(CreateOrganisation).execute({ slug: TENANT, name: 'Demo', owner });
}

async function createKey(app: NestExpressApplication): Promise<string> {
  const tenant = await app.get(TenantRegistry).bySlug(TENANT);
  if (!tenant) throw new Error('The organisation demo is missing.');
  const database = app.get(TenantDatabase);
  return database.within(tenant, async () => {
    const [owner] = await database.query<{ id: string }>({
      text: `SELECT id FROM users WHERE role = 'Owner' LIMIT 1`,
      values: [],
    });
    if (!owner) throw new Error('The organisation demo has no owner.');
    const created = await app.get(UnitOfWork).runAs(
      (key: { id: string }) => ({
        action: 'api_key.created',
        actor: { type: 'system', id: 'first-start' },
        outcome: 'success',
        resource: { type: 'api_key', id: key.id },
      }),
      () => app.get(ApiKeys).insert(owner.id, { name: 'first run', scopes: ['*:admin'], expiresAt: null }),
    );
    return created.key;
  });
}

async function readFirstRun(file: string): Promise<FirstRun | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as FirstRun;
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return undefined;
    throw new Error(`${file} cannot be read. Repair it, or take it away to get a new API key.`, {
      cause: error,
    });
  }
}

async function replace(file: string, content: FirstRun): Promise<void> {
  const temporary = `${file}.${randomBytes(4).toString('hex')}`;
  await writeFile(temporary, `${JSON.stringify(content, null, 2)}\n`, {
    mode: 0o600,
    flag: 'wx',
    flush: true,
  });
  await rename(temporary, file);
}

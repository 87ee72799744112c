import type { TokensDto } from '../../src/auth/auth.dto.js';
import type { BegunTotpDto, EnrolledDto, SecondFactorDueDto, ShownFactorDto } from '../../src/mfa/mfa.dto.js';
import type { SignInSettingsDto } from '../../src/sign-in/sign-in-settings.dto.js';
import { client, must, type Answer, type Client } from './client.js';
import { asSuperuser } from './embedded-database.js';
import type { RunningApplication } from './shared-application.js';
import { steppedUp, type LoggedSignIn } from './single-sign-on.js';
import type { Person, TestTenant } from './tenants.js';
import { codeBefore } from './totp.js';

export const BROWSER = { 'user-agent': 'Browser/1.0' };

/** Somebody with an authenticator app. */
export interface WithTotp {
  readonly person: Person;
  readonly secret: string;
  readonly recoveryCodes: readonly string[];
  readonly factor: EnrolledDto;
  /** The session in which it was set up. */
  readonly session: Client;
}

/** A sign-in by password, as a browser's. */
export function login(
  app: { baseUrl: string },
  tenant: TestTenant,
  { email, password }: { email: string; password: string },
  headers: Record<string, string> = BROWSER,
): Promise<Answer<TokensDto & SecondFactorDueDto>> {
  const anyone = client(app.baseUrl, undefined, { 'x-tenant-slug': tenant.slug, ...headers });
  return anyone.post('/v1/auth/login', { email, password });
}

/** The challenge of somebody whose password is right. */
export async function challenged(
  app: { baseUrl: string },
  tenant: TestTenant,
  person: Person,
  headers?: Record<string, string>,
): Promise<SecondFactorDueDto> {
  return must<SecondFactorDueDto>(login(app, tenant, person, headers), 202);
}

/** Completes it. */
export function proveFactor(
  app: { baseUrl: string },
  challenge: string,
  shown: ShownFactorDto & { trustDevice?: boolean },
  headers: Record<string, string> = BROWSER,
): Promise<Answer<TokensDto>> {
  return client(app.baseUrl, undefined, headers).post('/v1/auth/second-factor', { challenge, ...shown });
}

/** Sets an authenticator app up, in a session that has proved the password again. The code of now is used by it. */
export async function withTotp(
  app: { baseUrl: string },
  tenant: TestTenant,
  person: Person,
): Promise<WithTotp> {
  const session = await steppedUp(app, tenant, person);
  const begun = await must(session.post<BegunTotpDto>('/v1/me/second-factors/totp', {}), 201);
  const path = `/v1/me/second-factors/totp/${begun.id}/confirm`;
  // The one before: the one of now is left for a sign-in.
  const factor = await must(session.post<EnrolledDto>(path, { code: await codeBefore(begun.secret) }), 200);
  return { person, secret: begun.secret, recoveryCodes: factor.recoveryCodes ?? [], factor, session };
}

/** Signs somebody in by password and recovery code: how often is not limited by a clock. */
export async function signedInWith(
  app: { baseUrl: string },
  tenant: TestTenant,
  { person, recoveryCodes }: WithTotp,
  nth = 0,
): Promise<Client> {
  const { challenge } = await challenged(app, tenant, person);
  const recoveryCode = recoveryCodes[nth] ?? '';
  const { accessToken } = await must(proveFactor(app, challenge, { recoveryCode }), 200);
  return client(app.baseUrl, accessToken, BROWSER);
}

export async function setSecondFactor(
  session: Client,
  change: Partial<SignInSettingsDto['secondFactor']>,
): Promise<SignInSettingsDto> {
  const { version: _, ...now } = await must(session.get<SignInSettingsDto>('/v1/auth/settings'), 200);
  const secondFactor = { ...now.secondFactor, ...change };
  return must(session.put<SignInSettingsDto>('/v1/auth/settings', { ...now, secondFactor }), 200);
}

/** As if the accounts of the tenant were so many days older, and its rules. */
export async function daysPassed(app: RunningApplication, tenant: TestTenant, days: number): Promise<void> {
  await asSuperuser(app.home, 'us-east-1', async (database) => {
    await database.query(
      `UPDATE "${tenant.id}".users SET second_factor_asked_at = second_factor_asked_at - make_interval(days => ${days})`,
    );
  });
}

/** What the log says of an action, the last first. */
export function eventsOf(tenant: TestTenant, action: string): Promise<LoggedSignIn[]> {
  return tenant.api.all<LoggedSignIn>(`/v1/audit/events?action=${action}`);
}

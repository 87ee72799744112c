import { expect } from 'vitest';
import type { TokensDto } from '../../src/auth/auth.dto.js';
import type { TokenOfTransmitterDto } from '../../src/shared-signals/transmitters.dto.js';
import { AUDIENCE, push, SsfTransmitter, type Delivered } from '../fakes/ssf-transmitter.js';
import { Browser } from './browser.js';
import { client, must, type Client } from './client.js';
import { OidcSignIns } from './oidc-sign-ins.js';
import { sharedSite } from './shared-application.js';
import { steppedUp } from './single-sign-on.js';
import { uniqueName, type TestTenant } from './tenants.js';

export const TRANSMITTERS = '/v1/shared-signals/transmitters';
export const TAKEN = { status: 202, type: null, text: '' };
/** How long access may outlive the event that ends it. */
export const SECOND = 1_000;

/** Somebody who has signed in through the provider: with the cookie of a browser, and with tokens. */
interface SignedIn {
  readonly id: string;
  readonly api: Client;
  readonly browser: Client;
  readonly refreshToken: string;
}

/** An organisation whose people come by a provider, and to which a transmitter tells what becomes of them. */
export class Signals {
  readonly app = sharedSite();

  private constructor(
    readonly sso: OidcSignIns,
    readonly transmitter: SsfTransmitter,
    readonly stream: TokenOfTransmitterDto,
  ) {}

  static async begin(): Promise<Signals> {
    const [sso, transmitter] = await Promise.all([OidcSignIns.begin({}), SsfTransmitter.start()]);
    const stream = await registered(transmitter, sso.owner, { emailSubjects: true });
    return new Signals(sso, transmitter, stream);
  }

  async end(): Promise<void> {
    await Promise.all([this.sso.end(), this.transmitter.close()]);
  }

  get tenant(): TestTenant {
    return this.sso.tenant;
  }

  /** Another stream of the same transmitter; of a session that has proved the password again. */
  register(session: Client, further: object = {}): Promise<TokenOfTransmitterDto> {
    return registered(this.transmitter, session, further);
  }

  /** The same as the Owner of an organisation. */
  async registerOf(tenant: TestTenant, further: object = {}): Promise<TokenOfTransmitterDto> {
    return this.register(await steppedUp(this.app, tenant), further);
  }

  async signedIn(sub: string): Promise<SignedIn> {
    const { sso, app } = this;
    const claims = sso.somebody(sub, { name: sub });
    const tokens = (await sso.program(claims)).body as TokensDto;
    const person = new Browser();
    await sso.attempt(claims, sso.connection, person);
    const api = client(app.baseUrl, tokens.accessToken);
    const browser = client(app.baseUrl, undefined, {
      cookie: person.cookies(app.baseUrl),
      accept: 'text/html',
      'user-agent': 'node',
    });
    const { user } = await must(api.get<{ user: { id: string } }>('/v1/me'), 200);
    await must(browser.get('/v1/me'), 200);
    return { id: user.id, api, browser, refreshToken: tokens.refreshToken };
  }

  subject(sub: string, iss = this.sso.issuer.url): { format: string; iss: string; sub: string } {
    return { format: 'iss_sub', iss, sub };
  }

  /** Delivers a token, as the stream that was begun with unless another one's is given. */
  send(set: string, token = this.stream.token): Promise<Delivered> {
    return push(this.app.baseUrl, token, set);
  }

  async tell(type: string, about: unknown, further: object = {}): Promise<Delivered> {
    return this.send(await this.transmitter.set(type, about, further));
  }
}

function registered(
  transmitter: SsfTransmitter,
  session: Client,
  further: object,
): Promise<TokenOfTransmitterDto> {
  const body = { name: uniqueName('transmitter'), issuer: transmitter.url, audience: AUDIENCE, ...further };
  return must(session.post<TokenOfTransmitterDto>(TRANSMITTERS, body), 201);
}

export async function statusOf(api: Client): Promise<number> {
  return (await api.get('/v1/me')).status;
}

/** Until it is refused; fails where that takes a second or more. */
export async function deadWithin(api: Client, since: number): Promise<void> {
  while ((await statusOf(api)) !== 401) expect(performance.now() - since).toBeLessThan(SECOND);
}

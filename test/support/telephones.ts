import type { TokensDto } from '../../src/auth/auth.dto.js';
import type { EnrolledDto } from '../../src/mfa/mfa.dto.js';
import type { TextGateway } from '../fakes/text-gateway.js';
import { client, must, type Answer } from './client.js';
import { BROWSER, challenged, proveFactor } from './second-factors.js';
import { steppedUp } from './single-sign-on.js';
import { createPerson, type Person, type TestTenant } from './tenants.js';

export const TELEPHONE_PATH = '/v1/me/second-factors/sms';

export interface BegunMessage {
  readonly challenge: string;
  readonly expiresIn: number;
}

let numbers = 0;
export function newNumber(): string {
  numbers += 1;
  return `+4420794600${String(numbers).padStart(2, '0')}`;
}

/** Asks for a code, for a challenge of a sign-in. */
export function sendCode(app: { baseUrl: string }, challenge: string): Promise<Answer<BegunMessage>> {
  const anyone = client(app.baseUrl, undefined, BROWSER);
  return anyone.post<BegunMessage>('/v1/auth/second-factor/sms', { challenge });
}

/** People of an organisation that allows text messages, and the gateway by which they are sent. */
export class Telephones {
  constructor(
    private readonly app: { baseUrl: string },
    private readonly tenant: TestTenant,
    private readonly gateway: TextGateway,
  ) {}

  /** Sets one up; what was sent for it is forgotten. */
  async of(person: Person, number = newNumber()): Promise<EnrolledDto> {
    const session = await steppedUp(this.app, this.tenant, person);
    const { challenge } = await must(session.post<BegunMessage>(TELEPHONE_PATH, { number }), 200);
    const shown = { challenge, code: this.gateway.lastCode };
    const enrolled = await must(session.post<EnrolledDto>(`${TELEPHONE_PATH}/confirm`, shown), 200);
    this.gateway.forget();
    return enrolled;
  }

  /** Somebody who has one, and has begun to sign in. */
  async challenged(): Promise<{ person: Person; challenge: string }> {
    const person = await createPerson(this.tenant.api, 'Developer');
    await this.of(person);
    return { person, challenge: (await challenged(this.app, this.tenant, person)).challenge };
  }

  /** Somebody who has one, and has signed in by it. */
  async signedIn(): Promise<{ person: Person; tokens: TokensDto }> {
    const { person, challenge } = await this.challenged();
    await must(sendCode(this.app, challenge), 200);
    const tokens = await must(proveFactor(this.app, challenge, { sms: this.gateway.lastCode }), 200);
    return { person, tokens };
  }
}

import { Injectable } from '@nestjs/common';
import { generateRegistrationOptions } from '@simplewebauthn/server';
import { auditDetails, type Actor, type RequestTenant } from '../../platform/http/request-context.js';
import { UnitOfWork } from '../../requests/index.js';
import { secondFactorRules } from '../../sign-in/index.js';
import { CHALLENGE_SECONDS, Challenges, webauthnChallenge } from '../challenges.js';
import { Enrolment, usualName } from '../enrolment.js';
import { Factors, type FactorDetails } from '../factors.js';
import { EnrolmentFailed, FactorRefused } from '../mfa.errors.js';
import type { BegunWebauthnDto, EnrolledDto, EnrolWebauthnDto } from '../mfa.dto.js';
import { Notices } from '../notices.js';
import { RelyingParty, userHandle } from './relying-party.js';
import { credentialHash } from './verify-assertion.js';
import { ALGORITHMS, verifyRegistration, type CheckedRegistration } from './verify-registration.js';

const UNIQUE_VIOLATION = '23505';

/** Setting a security key or passkey up. */
@Injectable()
export class EnrolWebauthn {
  constructor(
    private readonly factors: Factors,
    private readonly challenges: Challenges,
    private readonly enrolment: Enrolment,
    private readonly party: RelyingParty,
    private readonly notices: Notices,
    private readonly work: UnitOfWork,
  ) {}

  async begin(actor: Actor, tenant: RequestTenant): Promise<BegunWebauthnDto> {
    const { user, sessionId } = await this.enrolment.personOf(actor);
    const own = (await this.factors.of(user.id)).flatMap(({ details: { credential } }) => credential ?? []);
    return this.work.run(async () => {
      const token = await this.challenges.begin('enrolment', { userId: user.id, sessionId });
      auditDetails({
        resource: { type: 'user', id: user.id },
        changes: { type: 'webauthn' },
        subject: user.id,
      });
      const email = user.email?.reveal() ?? user.id;
      const options = await generateRegistrationOptions({
        rpName: this.party.name,
        rpID: this.party.id,
        userID: userHandle(user.id),
        userName: `${email} (${tenant.slug})`,
        userDisplayName: user.displayName?.reveal() ?? email,
        challenge: Uint8Array.from(Buffer.from(webauthnChallenge(token), 'base64url')),
        timeout: CHALLENGE_SECONDS * 1_000,
        attestationType: secondFactorRules(tenant).attestation,
        excludeCredentials: own.map(({ id, transports }) => ({ id, transports: [...transports] })),
        authenticatorSelection: { residentKey: 'preferred', userVerification: 'preferred' },
        supportedAlgorithmIDs: ALGORITHMS,
      });
      return { challenge: token, expiresIn: CHALLENGE_SECONDS, options };
    });
  }

  /** @throws {ChallengeInvalid | EnrolmentFailed} */
  async finish(actor: Actor, tenant: RequestTenant, body: EnrolWebauthnDto): Promise<EnrolledDto> {
    const { user, sessionId } = await this.enrolment.personOf(actor);
    const challenge = await this.challenges.try('enrolment', body.challenge, sessionId);
    const checked = await verifyRegistration(body.credential, {
      party: this.party,
      challenge: webauthnChallenge(challenge.token),
      rules: secondFactorRules(tenant),
    }).catch(refused);
    const { name = usualName('webauthn') } = body;
    const enrolled = await this.work
      .run(async () => {
        await this.challenges.use(challenge);
        const details: FactorDetails = { name, credential: checked.credential };
        const id = await this.#add(user.id, details, checked);
        const { counter } = checked;
        const factor = { id, userId: user.id, type: 'webauthn', counter, details } as const;
        return this.enrolment.completed(user.id, sessionId, {
          ...factor,
          createdAt: new Date(),
          lastUsedAt: null,
        });
      })
      .catch(taken);
    this.notices.tell(user, 'factor_added');
    return enrolled;
  }

  #add(
    userId: string,
    details: FactorDetails,
    { credential, counter }: CheckedRegistration,
  ): Promise<string> {
    const active = { credentialHash: credentialHash(credential.id), counter };
    return this.factors.add(userId, 'webauthn', details, active);
  }
}

function refused(error: unknown): never {
  if (!(error instanceof FactorRefused)) throw error;
  const message =
    MODEL_REASONS[error.reason] ??
    'The security key could not be set up. Begin anew, on a page of this site.';
  throw new EnrolmentFailed(message, error.reason);
}

/** What an organisation asks of keys is told: who holds another one has to know. */
const MODEL_REASONS: Readonly<Record<string, string>> = {
  WEBAUTHN_UNATTESTED:
    'Your organisation takes only security keys that say what they are, and this one does not.',
  WEBAUTHN_UNTRUSTED_MAKER: 'Your organisation does not take security keys of this maker.',
  WEBAUTHN_MODEL: 'Your organisation does not take security keys of this model.',
};

/** Ids of credentials are drawn by keys: one that is there already is the same key, set up by somebody else. */
function taken(error: unknown): never {
  const { code, driverError } = error as { code?: unknown; driverError?: { code?: unknown } };
  if ((driverError?.code ?? code) !== UNIQUE_VIOLATION) throw error;
  throw new EnrolmentFailed('This security key is set up already.', 'WEBAUTHN_CREDENTIAL_TAKEN');
}

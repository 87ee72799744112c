import { Injectable } from '@nestjs/common';
import { generateAuthenticationOptions } from '@simplewebauthn/server';
import { Sessions, TokenTenant, UserEntity, type SignedIn, type SignInMethod } from '../../auth/index.js';
import { SsoEnforcement } from '../../domains/index.js';
import { FieldEncryption } from '../../encryption/index.js';
import { Cells, currentTenant, PLATFORM_TENANT, TenantDatabase } from '../../platform/database/index.js';
import { auditDetails, type RequestTenant } from '../../platform/http/request-context.js';
import { UnitOfWork } from '../../requests/index.js';
import { CHALLENGE_SECONDS, Challenges, tenantOfChallenge, webauthnChallenge } from '../challenges.js';
import { Factors, type Factor } from '../factors.js';
import { ChallengeInvalid, FactorRefused, PasskeyFailed } from '../mfa.errors.js';
import type { PasskeyOptionsDto, SignInWithPasskeyDto } from '../mfa.dto.js';
import { ProveFactor } from '../prove-factor.js';
import { RelyingParty, userHandle } from './relying-party.js';
import { shownAssertion } from './shown-credential.js';
import { credentialHash, verifyAssertion, type CheckedAssertion } from './verify-assertion.js';

/** Signing in with a passkey alone: the key says whose it is, and has looked at who holds it. Two factors in one. */
@Injectable()
export class SignInWithPasskey {
  constructor(
    private readonly cells: Cells,
    private readonly database: TenantDatabase,
    private readonly encryption: FieldEncryption,
    private readonly tenants: TokenTenant,
    private readonly challenges: Challenges,
    private readonly factors: Factors,
    private readonly prove: ProveFactor,
    private readonly sessions: Sessions,
    private readonly enforcement: SsoEnforcement,
    private readonly party: RelyingParty,
    private readonly work: UnitOfWork,
  ) {}

  /** What any passkey of the organisation may sign. Of an organisation that does not exist too, as far as anybody can see. */
  begin(tenant: RequestTenant | undefined, slug: string): Promise<PasskeyOptionsDto> {
    const place = tenant ?? this.cells.home.tenant(PLATFORM_TENANT);
    return this.database.within(place, async () => {
      const token = await this.work.run(() => this.challenges.begin('passkey', {}));
      const shown = tenant ? token : await this.#disguised(token, slug);
      const webauthn = await generateAuthenticationOptions({
        rpID: this.party.id,
        challenge: Uint8Array.from(Buffer.from(webauthnChallenge(shown), 'base64url')),
        userVerification: 'required',
        timeout: CHALLENGE_SECONDS * 1_000,
      });
      return { challenge: shown, expiresIn: CHALLENGE_SECONDS, webauthn };
    });
  }

  /** @throws {ChallengeInvalid | PasskeyFailed} */
  async complete({ challenge: token, webauthn }: SignInWithPasskeyDto): Promise<SignedIn> {
    const tenant = await this.tenants.of(tenantOfChallenge(token));
    if (!tenant) throw new ChallengeInvalid();
    return this.database.within(tenant, async () => {
      const challenge = await this.challenges.try('passkey', token);
      try {
        const { factor, checked } = await this.#check(webauthn, token);
        const { user, method } = await this.#personOf(factor.userId);
        return await this.work.run(async () => {
          await this.challenges.use(challenge);
          await this.prove.use(user.id, {
            method: 'webauthn',
            factorId: factor.id,
            userVerified: checked.userVerified,
            use: () => this.factors.use(factor.id, checked.counter),
          });
          const { sessionId: _, ...signedIn } = await this.sessions.openIn(tenant, user, method, {
            secondFactorAt: new Date(),
          });
          return signedIn;
        });
      } catch (error) {
        if (!(error instanceof FactorRefused)) throw error;
        throw new PasskeyFailed(error.reason);
      }
    });
  }

  async #check(body: object, token: string): Promise<{ factor: Factor; checked: CheckedAssertion }> {
    const shown = shownAssertion(body);
    const factor = await this.factors.byCredential(credentialHash(shown.id));
    if (!factor) throw new FactorRefused('WEBAUTHN_UNKNOWN_CREDENTIAL');
    const handle = Buffer.from(shown.response.userHandle ?? '', 'base64url');
    if (!handle.equals(userHandle(factor.userId))) throw new FactorRefused('WEBAUTHN_USER_HANDLE');
    auditDetails({ subject: factor.userId });
    const checked = await verifyAssertion(shown, factor, {
      party: this.party,
      challenge: webauthnChallenge(token),
      userVerification: 'required',
    });
    return { factor, checked };
  }

  /** Who has to come through the company's identity provider has to with a passkey as well. @throws {SsoRequired} */
  async #personOf(userId: string): Promise<{ user: UserEntity; method: SignInMethod }> {
    const user = await this.database.repository(UserEntity).findOneBy({ id: userId });
    if (user?.status !== 'active' || !user.email) throw new FactorRefused('PERSON_CHANGED');
    const method = await this.enforcement.passwordMethod(user, user.email.reveal());
    return { user, method: method === 'break_glass' ? method : 'passkey' };
  }

  /** The same each time for the same name, as a real organisation's would be. */
  async #disguised(token: string, slug: string): Promise<string> {
    const digits = await this.encryption.pseudonym(currentTenant(), 'passkey organisation', slug);
    return `wxm_${digits.toString('hex', 0, 8)}_${token.slice(-43)}`;
  }
}

import { Injectable } from '@nestjs/common';
import { generateAuthenticationOptions } from '@simplewebauthn/server';
import {
  CHALLENGE_SECONDS,
  Challenges,
  webauthnChallenge,
  type ChallengePurpose,
  type NewChallenge,
} from './challenges.js';
import { Factors, type FactorType } from './factors.js';
import type { SecondFactorDueDto } from './mfa.dto.js';
import { RecoveryCodes } from './recovery-codes.js';
import { RelyingParty } from './webauthn/relying-party.js';

/** Begins asking for a second factor: the challenge, and what a browser needs for a security key. */
@Injectable()
export class AskSecondFactor {
  constructor(
    private readonly challenges: Challenges,
    private readonly factors: Factors,
    private readonly codes: RecoveryCodes,
    private readonly party: RelyingParty,
  ) {}

  /** In the running unit of work. */
  async begin(
    purpose: ChallengePurpose,
    types: readonly FactorType[],
    challenge: NewChallenge & { readonly userId: string },
  ): Promise<SecondFactorDueDto> {
    return this.describe(await this.challenges.begin(purpose, challenge), challenge.userId, types);
  }

  /** What is to be known of a challenge to answer it. */
  async describe(token: string, userId: string, types: readonly FactorType[]): Promise<SecondFactorDueDto> {
    return {
      challenge: token,
      expiresIn: CHALLENGE_SECONDS,
      methods: await this.methodsOf(userId, types),
      ...(types.includes('webauthn') && { webauthn: await this.#webauthn(userId, token) }),
    };
  }

  async methodsOf(userId: string, types: readonly FactorType[]): Promise<string[]> {
    const left = await this.codes.left(userId);
    return [...types, ...(left > 0 ? ['recovery_code'] : [])];
  }

  async #webauthn(userId: string, token: string): Promise<object> {
    const own = (await this.factors.of(userId)).flatMap(({ details: { credential } }) => credential ?? []);
    return generateAuthenticationOptions({
      rpID: this.party.id,
      challenge: Uint8Array.from(Buffer.from(webauthnChallenge(token), 'base64url')),
      allowCredentials: own.map(({ id, transports }) => ({ id, transports: [...transports] })),
      userVerification: 'preferred',
      timeout: CHALLENGE_SECONDS * 1_000,
    });
  }
}

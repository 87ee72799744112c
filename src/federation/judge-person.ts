import { Injectable } from '@nestjs/common';
import { isEmail } from 'class-validator';
import { Authority, UserEntity } from '../auth/index.js';
import { Domains } from '../domains/index.js';
import { BlindLookup } from '../encryption/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import type { ConnectionEntity } from './connection.entity.js';
import { FederatedIdentityEntity, subjectKey } from './federated-identity.entity.js';
import type { Refusal } from './federation.errors.js';
import { mapClaims, type MappedPerson } from './map-claims.js';
import type { ProvenPerson } from './proven-person.js';

/** What becomes of somebody whom a provider has sent. */
export type Verdict =
  | { readonly kind: 'known'; readonly user: UserEntity; readonly identityId: string }
  | { readonly kind: 'linked'; readonly user: UserEntity }
  | { readonly kind: 'added'; readonly email: string }
  | { readonly kind: 'refused'; readonly why: Refusal };

export interface Judgement {
  readonly mapped: MappedPerson;
  readonly verdict: Verdict;
}

const LONGEST_EMAIL = 254;

/** Says who somebody is here. Changes nothing: a test asks it as a sign-in does. */
@Injectable()
export class JudgePerson {
  constructor(
    private readonly database: TenantDatabase,
    private readonly lookup: BlindLookup,
    private readonly domains: Domains,
    private readonly authority: Authority,
  ) {}

  async execute(connection: ConnectionEntity, person: ProvenPerson): Promise<Judgement> {
    const { mapping, roles, highestRole } = connection;
    const mapped = mapClaims(person.claims, mapping, roles, highestRole);
    const verdict = await this.#verdict(connection, person, mapped);
    return { mapped, verdict: await this.#highEnough(connection, verdict) };
  }

  async #verdict(connection: ConnectionEntity, person: ProvenPerson, mapped: MappedPerson): Promise<Verdict> {
    const known = await this.#known(connection, person);
    if (known) return known;
    const { email } = mapped;
    if (email === undefined || email.length > LONGEST_EMAIL || !isEmail(email))
      return refused('SSO_EMAIL_MISSING');
    // An address is believed where two agree: the provider, and the DNS, that it is the organisation's to give out.
    if (!person.emailVerified) return refused('SSO_EMAIL_UNVERIFIED');
    if (!(await this.domains.covers(email))) return refused('SSO_EMAIL_DOMAIN');
    const user = await this.lookup.findOne(UserEntity, 'email', email);
    if (!user) return connection.provisioning ? { kind: 'added', email } : refused('SSO_NO_ACCOUNT');
    if (connection.linking === 'none') return refused('SSO_NOT_LINKED');
    return user.status === 'active' ? { kind: 'linked', user } : refused('SSO_ACCOUNT_DISABLED');
  }

  async #known({ id }: ConnectionEntity, { issuer, subject }: ProvenPerson): Promise<Verdict | undefined> {
    const key = subjectKey(id, issuer, subject);
    const identity = await this.lookup.findOne(FederatedIdentityEntity, 'subject', key);
    if (!identity) return undefined;
    const user = await this.database.repository(UserEntity).findOneBy({ id: identity.userId });
    if (user?.status !== 'active') return refused('SSO_ACCOUNT_DISABLED');
    return { kind: 'known', user, identityId: identity.id };
  }

  /** Whoever may set where people come from could otherwise come as somebody who may more. */
  async #highEnough({ highestRole }: ConnectionEntity, verdict: Verdict): Promise<Verdict> {
    if (!('user' in verdict)) return verdict;
    const above = await this.authority.isPersonAbove(verdict.user, highestRole);
    return above ? refused('SSO_ROLE_ABOVE_CONNECTION') : verdict;
  }
}

function refused(why: Refusal): Verdict {
  return { kind: 'refused', why };
}

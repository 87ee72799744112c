import { Injectable } from '@nestjs/common';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { domainOf } from './domain-name.js';
import { DomainRegistry } from './domain-registry.js';
import { SsoRequired } from './domains.errors.js';

/** Who may sign in with a password: everybody, but people of a domain that asks for a connection; of those, owners who are named. */
@Injectable()
export class SsoEnforcement {
  constructor(
    private readonly database: TenantDatabase,
    private readonly registry: DomainRegistry,
  ) {}

  /**
   * To be asked once the password was found right, so that nobody learns from it who there is.
   * @returns how the sign-in is to be told: an owner's who may although others may not is another thing
   * @throws {SsoRequired}
   */
  async passwordMethod(
    user: { id: string; role: string },
    email: string,
  ): Promise<'password' | 'break_glass'> {
    const name = domainOf(email);
    if (name === undefined || !(await this.#required(name))) return 'password';
    if (user.role === 'Owner' && (await this.#named(user.id))) return 'break_glass';
    throw new SsoRequired();
  }

  async #required(name: string): Promise<boolean> {
    const text = 'SELECT 1 FROM domains WHERE name = $1 AND sso_required';
    const rows = await this.database.query({ text, values: [name] });
    return rows.length > 0 && (await this.registry.holder(name)) === currentTenant().id;
  }

  async #named(userId: string): Promise<boolean> {
    const text = 'SELECT 1 FROM break_glass_owners WHERE user_id = $1';
    return (await this.database.query({ text, values: [userId] })).length > 0;
  }
}

import { Injectable } from '@nestjs/common';
import { BreachedPasswords } from './breached-passwords.js';
import { listedPasswords } from './listed-passwords.js';
import { unfitPassword } from './passwords.errors.js';
import { weaknesses, type PasswordOwner } from './password-rules.js';

const BREACHED = 'password was in a known data breach, where attackers have it from: choose another';

/** What a new password has to be. Those that are set already are not looked at again. */
@Injectable()
export class PasswordPolicy {
  constructor(private readonly breached: BreachedPasswords) {}

  /**
   * @param pointer where the password stands in the body
   * @throws InvalidRequest with each reason
   */
  async require(password: string, owner: PasswordOwner, pointer = '/password'): Promise<void> {
    const reasons = weaknesses(password, owner, await listedPasswords());
    if (reasons.length > 0) throw unfitPassword(pointer, reasons);
    if (await this.breached.has(password)) throw unfitPassword(pointer, [BREACHED]);
  }
}

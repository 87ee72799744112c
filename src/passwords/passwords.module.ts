import { Module } from '@nestjs/common';
import { BreachedPasswords } from './breached-passwords.js';
import { PasswordHashing } from './password-hashing.js';
import { PasswordHistory } from './password-history.js';
import { PasswordPolicy } from './password-policy.js';

@Module({
  providers: [BreachedPasswords, PasswordHashing, PasswordHistory, PasswordPolicy],
  exports: [PasswordHashing, PasswordHistory, PasswordPolicy],
})
export class PasswordsModule {}

export { BreachRanges } from './breached-passwords.js';
export { PasswordHashing } from './password-hashing.js';
export { PasswordHistory } from './password-history.js';
export { PasswordPolicy } from './password-policy.js';
export { SignInBusy } from './passwords.errors.js';
export { PasswordsModule } from './passwords.module.js';

export { secondFactorRules, signInRules } from './sign-in-rules.js';
export { SignInAttempts, type Attempt, type Counted } from './sign-in-attempts.js';
export { Turns } from './turns.js';
export { SignInModule } from './sign-in.module.js';

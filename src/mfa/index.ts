export { AdmitPerson, type Admitted } from './admit-person.js';
export { AfterSecondFactor } from './after-second-factor.js';
export { Challenges } from './challenges.js';
export { SecondFactorDueDto } from './mfa.dto.js';
export { MfaModule } from './mfa.module.js';

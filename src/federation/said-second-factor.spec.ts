import { describe, expect, it } from 'vitest';
import type { ConnectionEntity } from './connection.entity.js';
import { countsAsSecondFactor, oidcSaysSecondFactor, samlSaysSecondFactor } from './said-second-factor.js';

const METHODS = 'http://schemas.microsoft.com/claims/authnmethodsreferences';
const PASSWORD = 'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport';

describe('a provider says that there was a second factor', () => {
  it.each([
    [{ amr: ['pwd', 'mfa'] }, true],
    [{ amr: ['mfa'] }, true],
    [{ acr: ['https://refeds.org/profile/mfa'] }, true],
    [{ acr: ['phr'] }, true],
    [{ amr: ['pwd', 'otp'] }, false],
    [{ amr: ['pwd'] }, false],
    [{ amr: ['MFA'] }, false],
    [{ acr: ['1'] }, false],
    [{ groups: ['mfa'] }, false],
    [{}, false],
  ])('in an ID token of %j: %s', (claims, said) => {
    expect(oidcSaysSecondFactor(claims)).toBe(said);
  });

  it.each([
    [['https://refeds.org/profile/mfa'], {}, true],
    [[PASSWORD], { [METHODS]: [PASSWORD, 'http://schemas.microsoft.com/claims/multipleauthn'] }, true],
    [['urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI'], {}, true],
    [[PASSWORD], {}, false],
    [[PASSWORD], { [METHODS]: [PASSWORD] }, false],
    [[PASSWORD], { amr: ['mfa'] }, false],
    [[], {}, false],
  ])('in an assertion of %j and %j: %s', (contexts, attributes, said) => {
    expect(samlSaysSecondFactor(contexts, attributes)).toBe(said);
  });

  it.each([
    [undefined, true, true],
    [undefined, false, false],
    ['claimed', true, true],
    ['claimed', false, false],
    ['always', false, true],
    ['never', true, false],
  ] as const)('which counts as the connection has it: %s, said %s: %s', (secondFactor, said, counts) => {
    const connection = { settings: { secondFactor } } as ConnectionEntity;
    expect(countsAsSecondFactor(connection, said)).toBe(counts);
  });
});

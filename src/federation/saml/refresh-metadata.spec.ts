import { describe, expect, it } from 'vitest';
import { IDP_ENTITY, SamlIdp } from '../../../test/fakes/saml-idp.js';
import { acceptable } from './refresh-metadata.js';

describe('metadata that is read again', () => {
  it('is held to what saved settings are: https, and the same provider', async () => {
    const idp = await SamlIdp.create();
    const [safe, plain] = [idp.metadata('https://idp.example'), idp.metadata('http://idp.example')];
    expect(acceptable(safe, IDP_ENTITY, false).signOnUrl).toBe('https://idp.example/sso');
    expect(() => acceptable(plain, IDP_ENTITY, false)).toThrow(/does not begin with https/);
    const logoutAlone = safe.replace('https://idp.example/logout', 'http://idp.example/logout');
    expect(() => acceptable(logoutAlone, IDP_ENTITY, false)).toThrow(/does not begin with https/);
    expect(() => acceptable(safe, 'https://other.example', false)).toThrow(/another entity id/);
    expect(acceptable(plain, IDP_ENTITY, true).signOnUrl).toBe('http://idp.example/sso');
  });
});

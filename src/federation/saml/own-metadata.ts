import { Injectable } from '@nestjs/common';
import { Addresses } from '../addresses.js';
import type { SamlConnection } from '../connection.entity.js';
import { CBC, GCM, HTTP_POST, HTTP_REDIRECT, KEY_TRANSPORTS, METADATA, DSIG, SAMLP } from './names.js';

/** Our own metadata (SAML 2.0 Metadata, section 2.4.4), for one connection: what a provider has to know of us. */
@Injectable()
export class OwnMetadata {
  constructor(private readonly addresses: Addresses) {}

  of({ id, settings }: SamlConnection): string {
    const certificate = settings.ownCertificate.replace(/-----[A-Z ]+-----|\s/g, '');
    const [acs, logout] = [this.addresses.of(id, 'acs'), this.addresses.of(id, 'logout')].map(escaped);
    const methods = [...KEY_TRANSPORTS, ...GCM, ...CBC].map(
      (one) => `<EncryptionMethod Algorithm="${one}"/>`,
    );
    const key = (use: string, more = ''): string =>
      `<KeyDescriptor use="${use}"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>${certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>${more}</KeyDescriptor>`;
    return [
      '<?xml version="1.0" encoding="UTF-8"?>',
      `<EntityDescriptor xmlns="${METADATA}" xmlns:ds="${DSIG}" entityID="${escaped(this.addresses.of(id, 'metadata'))}">`,
      `<SPSSODescriptor AuthnRequestsSigned="true" WantAssertionsSigned="true" protocolSupportEnumeration="${SAMLP}">`,
      key('signing'),
      key('encryption', methods.join('')),
      `<SingleLogoutService Binding="${HTTP_REDIRECT}" Location="${logout}"/>`,
      `<SingleLogoutService Binding="${HTTP_POST}" Location="${logout}"/>`,
      `<AssertionConsumerService index="0" isDefault="true" Binding="${HTTP_POST}" Location="${acs}"/>`,
      '</SPSSODescriptor>',
      '</EntityDescriptor>',
    ].join('\n');
  }
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

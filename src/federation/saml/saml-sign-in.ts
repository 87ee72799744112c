import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { SAML } from '@node-saml/node-saml';
import { Addresses } from '../addresses.js';
import type { AttemptSecrets } from '../attempts.js';
import type { SamlConnection } from '../connection.entity.js';
import { SsoFailed } from '../federation.errors.js';
import type { ProvenPerson } from '../proven-person.js';
import { samlSaysSecondFactor } from '../said-second-factor.js';
import { KeepMetadata } from './keep-metadata.js';
import { checkResponse, type CheckedAssertion, type Expected } from './check-response.js';
import { SamlRefused } from './saml-refusals.js';

const EMAIL_FORMAT = 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress';
const TRANSIENT_FORMAT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient';

/** The web browser SSO profile of SAML 2.0: a signed request by HTTP-Redirect, a response by HTTP-POST. */
@Injectable()
export class SamlSignIn {
  constructor(
    private readonly addresses: Addresses,
    private readonly metadata: KeepMetadata,
  ) {}

  /** Where the browser is sent, and what has to be known when it comes back. */
  async begin(
    connection: SamlConnection,
    { state, anew }: { state: string; anew: boolean },
  ): Promise<{ url: string; secrets: AttemptSecrets }> {
    const requestId = `_${randomBytes(20).toString('hex')}`;
    const current = await this.metadata.current(connection);
    const url = await this.#requester(current, requestId, anew).getAuthorizeUrlAsync(state, undefined, {});
    return { url, secrets: { requestId } };
  }

  /** Checks the provider's answer, wholly. `requestId` is undefined where the sign-in began there. @throws {SsoFailed} */
  async finish(
    connection: SamlConnection,
    encoded: unknown,
    requestId: string | undefined,
  ): Promise<ProvenPerson> {
    try {
      // A sign-in that begins there has had nobody look before.
      const current = requestId === undefined ? await this.metadata.current(connection) : connection;
      const checked = await this.#check(current, encoded, requestId);
      return personOf(connection.settings.entityId, connection.mapping.email, checked);
    } catch (error) {
      if (error instanceof SamlRefused) throw new SsoFailed(error.refusal, { cause: error });
      throw error;
    }
  }

  /** A provider that has replaced its certificate since: with the one that it publishes now. */
  async #check(connection: SamlConnection, encoded: unknown, requestId: string | undefined) {
    try {
      return await checkResponse(encoded, this.#expected(connection, requestId));
    } catch (error) {
      if (!(error instanceof SamlRefused) || error.refusal !== 'SAML_SIGNATURE_INVALID') throw error;
      const renewed = await this.metadata.otherCertificates(connection);
      if (!renewed) throw error;
      return checkResponse(encoded, this.#expected(renewed, requestId));
    }
  }

  #expected({ id, settings, secrets }: SamlConnection, requestId: string | undefined): Expected {
    return {
      keys: { certificates: settings.certificates, privateKey: secrets?.reveal().privateKey ?? '' },
      issuer: settings.entityId,
      acsUrl: this.addresses.of(id, 'acs'),
      audience: this.addresses.of(id, 'metadata'),
      requestId,
      now: new Date(),
    };
  }

  #requester({ id, settings, secrets }: SamlConnection, requestId: string, forceAuthn: boolean): SAML {
    return new SAML({
      entryPoint: settings.signOnUrl,
      issuer: this.addresses.of(id, 'metadata'),
      callbackUrl: this.addresses.of(id, 'acs'),
      idpCert: [...settings.certificates],
      privateKey: secrets?.reveal().privateKey,
      signatureAlgorithm: 'sha256',
      identifierFormat: null,
      forceAuthn,
      disableRequestedAuthnContext: true,
      generateUniqueId: () => requestId,
    });
  }
}

/** A transient name is another one each time, so it names nobody; what else there is does. */
function personOf(issuer: string, emailAttribute: string, checked: CheckedAssertion): ProvenPerson {
  const { nameId, nameIdFormat, sessionIndex, attributes, sessionUntil, authenticatedAt } = checked;
  if (nameIdFormat === TRANSIENT_FORMAT) throw new SamlRefused('SAML_SUBJECT');
  const named = nameIdFormat === EMAIL_FORMAT && !Object.hasOwn(attributes, emailAttribute);
  return {
    issuer,
    subject: nameId,
    claims: named ? { ...attributes, [emailAttribute]: [nameId] } : attributes,
    // The provider is the organisation's own: it answers for the addresses that it gives out.
    emailVerified: true,
    secondFactor: samlSaysSecondFactor(checked.contexts, attributes),
    ...(sessionIndex !== undefined && { sid: sessionIndex }),
    hint: {
      nameId,
      ...(nameIdFormat !== undefined && { format: nameIdFormat }),
      ...(sessionIndex !== undefined && { sessionIndex }),
    },
    ...(sessionUntil && { until: sessionUntil }),
    ...(authenticatedAt && { authenticatedAt }),
    once: { id: checked.id, until: checked.until },
  };
}

import { createRequire } from 'node:module';
import express, { type Request, type RequestHandler } from 'express';
import type { AddressInfo } from 'node:net';
import { IDP_ENTITY, type SamlIdp } from './saml-idp.js';

interface Samlp {
  auth(options: Record<string, unknown>): RequestHandler;
  logout(options: Record<string, unknown>): RequestHandler;
}
// It has no types, and is not ESM.
const samlp = createRequire(import.meta.url)('samlp') as Samlp;

/** Somebody who is signed in at the provider, with the attributes that it sends. */
export interface SamlpUser {
  readonly id: string;
  readonly attributes: Readonly<Record<string, string | readonly string[]>>;
}

/** How it answers. */
export interface SamlpOptions {
  readonly signResponse?: boolean;
  readonly encryptTo?: string;
}

/** A SAML provider of `samlp` (Auth0): reads our requests, checks their signature, and answers as its form says. */
export class SamlpProvider {
  user: SamlpUser = { id: 'ann', attributes: {} };
  options: SamlpOptions = {};
  /** What it publishes. */
  metadata = '';
  metadataReads = 0;
  readonly url: string;
  private readonly close_: () => Promise<void>;

  private constructor(url: string, close: () => Promise<void>) {
    this.url = url;
    this.close_ = close;
  }

  /** `ourCertificate` is what our requests have to be signed with. */
  static async start(
    idp: () => SamlIdp,
    our: () => { acsUrl: string; certificate: string },
  ): Promise<SamlpProvider> {
    const app = express();
    const holder: { provider?: SamlpProvider } = {};
    const provider = (): SamlpProvider => {
      if (!holder.provider) throw new Error('The provider has not started yet.');
      return holder.provider;
    };
    app.get('/metadata', (_request, response) => {
      provider().metadataReads += 1;
      response.type('application/xml').send(provider().metadata);
    });
    app.get('/sso', (request, response, next) => {
      const { options, user } = provider();
      const { acsUrl, certificate } = our();
      samlp.auth({
        issuer: IDP_ENTITY,
        cert: idp().certificate,
        key: idp().privateKey,
        signingCert: certificate,
        getPostURL: (
          _audience: string,
          _dom: unknown,
          _request: Request,
          done: (error: null, url: string) => void,
        ) => done(null, acsUrl),
        destination: acsUrl,
        recipient: acsUrl,
        getUserFromRequest: () => user,
        profileMapper: mapper,
        sessionIndex: 'samlp-session',
        lifetimeInSeconds: 300,
        signResponse: options.signResponse ?? false,
        ...(options.encryptTo !== undefined && {
          encryptionCert: options.encryptTo,
          encryptionPublicKey: options.encryptTo,
        }),
      })(request, response, next);
    });
    const server = app.listen(0, '127.0.0.1');
    await new Promise((done) => server.once('listening', done));
    const { port } = server.address() as AddressInfo;
    holder.provider = new SamlpProvider(
      `http://127.0.0.1:${port}`,
      () =>
        new Promise((done) => {
          server.close(() => done());
          server.closeAllConnections();
        }),
    );
    return holder.provider;
  }

  close(): Promise<void> {
    return this.close_();
  }
}

function mapper(user: SamlpUser) {
  return {
    getClaims: () => user.attributes,
    getNameIdentifier: () => ({
      nameIdentifier: user.id,
      nameIdentifierFormat: 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
    }),
  };
}

/** The fields of the form that a page of the provider sends on. */
export function formOf(page: unknown): { action: string; fields: Record<string, string> } {
  const html = String(page);
  const fields = [...html.matchAll(/<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"/g)].map(
    ([, name = '', value = '']) => [name, value],
  );
  return {
    action: /action="([^"]+)"/.exec(html)?.[1] ?? '',
    fields: Object.fromEntries(fields) as Record<string, string>,
  };
}

import type { NestExpressApplication } from '@nestjs/platform-express';
import helmet from 'helmet';
import { declaredRoutes } from './annotated-routes.js';
import { jsonBody } from './body.js';
import { openApiDocument, serveReference } from './openapi.js';
import { requestContextMiddleware } from './request-context.middleware.js';
import { validationPipe } from './validation.js';

export interface ServerOptions {
  readonly publicUrl: string;
  /** Proxies in front of this process whose X-Forwarded-For is believed. */
  readonly trustedProxies: number;
}

/** Puts together what every request passes before its route's guards, and the documents about the routes. */
export function setUpServer(app: NestExpressApplication, options: ServerOptions): void {
  declaredRoutes(app);
  const server = app.getHttpAdapter().getInstance();
  server.set('trust proxy', options.trustedProxies);
  // Resources carry an ETag of their version; hashing every body for another one is wasted.
  server.set('etag', false);
  server.set('x-powered-by', false);
  app.use(requestContextMiddleware);
  app.use(
    helmet({
      strictTransportSecurity: { maxAge: 31_536_000, includeSubDomains: true },
      contentSecurityPolicy: {
        useDefaults: false,
        directives: {
          defaultSrc: ["'none'"],
          scriptSrc: ["'self'"],
          styleSrc: ["'self'", "'unsafe-inline'"],
          imgSrc: ["'self'", 'data:'],
          connectSrc: ["'self'"],
          baseUri: ["'none'"],
          formAction: ["'none'"],
          frameAncestors: ["'none'"],
        },
      },
    }),
  );
  app.use(
    (_request: unknown, response: { setHeader(name: string, value: string): void }, next: () => void) => {
      response.setHeader('Cache-Control', 'no-store');
      next();
    },
  );
  for (const handler of jsonBody()) app.use(handler);
  app.useGlobalPipes(validationPipe());
  serveReference(server, openApiDocument(app, options.publicUrl));
}

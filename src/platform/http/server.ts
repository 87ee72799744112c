import type { Server } from 'node:http';
import type { NextFunction, Request, Response } from 'express';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { declaredRoutes } from './annotated-routes.js';
import { readBody, type OwnBodies, type TextBodies } from './body.js';
import { openApiDocument, serveReference } from './openapi.js';
import { requestContextMiddleware, requestScopeMiddleware } from './request-context.middleware.js';
import { validationPipe } from './validation.js';

export interface ServerOptions {
  readonly publicUrl: string;
  /** Proxies in front of this process whose X-Forwarded-For is believed. */
  readonly trustedProxies: number;
  /** The paths that take forms, as other sites' pages and clients of OAuth send them. */
  readonly forms: readonly RegExp[];
  /** The paths that take a text of a media type of its own. */
  readonly texts: readonly TextBodies[];
  /** The paths whose bodies have a limit of their own, and are refused by their routes. */
  readonly bodies: readonly OwnBodies[];
  /** Looks at every request before anything is done for it: refuses it, or calls the next. */
  readonly admit: (request: Request, response: Response, next: NextFunction) => void;
}

/** Whoever sends a request's headers, or all of it, more slowly than this is cut off. */
const HEADERS_TIMEOUT_MS = 15_000;
const REQUEST_TIMEOUT_MS = 60_000;

/** Puts together what every request passes before its route's guards, and the documents about the routes. */
export function setUpServer(app: NestExpressApplication, options: ServerOptions): void {
  declaredRoutes(app);
  limitWaiting(app.getHttpServer());
  const server = app.getHttpAdapter().getInstance();
  server.set('trust proxy', options.trustedProxies);
  // Resources carry an ETag of their version; hashing every body for another one is wasted.
  server.set('etag', false);
  server.set('x-powered-by', false);
  server.response.json = sendJson;
  // As one: each step that the framework knows of costs every request.
  app.use((request: Request, response: Response, next: NextFunction) =>
    requestContextMiddleware(request, response, () => options.admit(request, response, next)),
  );
  for (const handler of readBody(options.forms, options.texts, options.bodies)) app.use(handler);
  app.use(requestScopeMiddleware);
  app.useGlobalPipes(validationPipe());
  serveReference(server, () => openApiDocument(app, options.publicUrl));
}

function limitWaiting(server: Server): void {
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
}

/** Express's own goes through charset, freshness and settings, none of which can differ here. */
function sendJson(this: Response, body: unknown): Response {
  const text = JSON.stringify(body);
  this.setHeader('Content-Type', 'application/json; charset=utf-8');
  this.setHeader('Content-Length', Buffer.byteLength(text));
  if (this.req.method === 'HEAD') this.end();
  else this.end(text);
  return this;
}

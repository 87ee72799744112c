import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { Express } from 'express';
import { ProblemDto } from './problem.dto.js';

type Response = { description?: string; content?: unknown; headers?: Record<string, unknown> };
type Responses = Record<string, Response>;
type Operation = { responses?: Responses; parameters?: unknown[]; security?: unknown };

/** The OpenAPI 3.1 document of all routes, from their annotations and DTOs. */
export function openApiDocument(app: INestApplication, publicUrl: string): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Waxell')
    .setDescription('The control plane with which an enterprise runs AI agents safely.')
    .setVersion('1')
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addServer(publicUrl)
    .addBearerAuth({
      type: 'http',
      scheme: 'bearer',
      description: 'An API key (wax_...) or an access token.',
    })
    .build();
  const document = SwaggerModule.createDocument(app, config, {
    extraModels: [ProblemDto],
    operationIdFactory: (controller, method) =>
      `${controller.replace(/Controller$/, '').toLowerCase()}_${method}`,
  });
  for (const [path, item] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(item) as [string, Operation][]) {
      if (operation.responses) {
        withRequestIds(operation.responses);
        withRateLimits(operation.responses);
      }
      if (method === 'post' && operation.security && !WITHOUT_IDEMPOTENCY.test(path)) repeatable(operation);
    }
  }
  return document;
}

/** The operator's calls belong to no tenant, in whose schema responses would be kept; repeated, they find it done: 409. */
const WITHOUT_IDEMPOTENCY = /^\/v1\/tenants(\/|$)/;

/** What `Idempotency-Key` means is the same for every POST, so it is said here and not at each. */
function repeatable({ parameters = [], responses = {} }: Operation): void {
  parameters.push({
    name: 'Idempotency-Key',
    in: 'header',
    required: false,
    description:
      'Of your choice: a repeated request with the same key and body gets the first response again.',
    schema: { type: 'string', maxLength: 255 },
  });
  const { content } = responses['400'] ?? {};
  responses['409'] ??= { description: 'It conflicts with what exists, or with a request at work.', content };
  responses['422'] ??= { description: 'The Idempotency-Key was used for another request.', content };
  const success = Object.entries(responses).find(([status]) => Number(status) < 400)?.[1];
  if (success)
    success.headers = {
      ...success.headers,
      'Idempotency-Replayed': {
        description: 'true where this is the stored response of an earlier request.',
        schema: { type: 'string', enum: ['true'] },
      },
    };
}

/** A problem names its request in the body. */
function withRequestIds(responses: Responses): void {
  for (const [status, response] of Object.entries(responses)) {
    if (Number(status) < 400) {
      response.headers = {
        'X-Request-Id': { description: 'Name it when you report a problem.', schema: { type: 'string' } },
      };
    }
  }
}

/** Every answer says how much the caller has left, and some when to come again. */
function withRateLimits(responses: Responses): void {
  for (const [status, response] of Object.entries(responses)) {
    response.headers = {
      ...response.headers,
      RateLimit: {
        description: 'For each limit: requests left, and seconds until all are, as in `"tenant";r=1999;t=1`.',
        schema: { type: 'string' },
      },
      'RateLimit-Policy': {
        description: 'For each limit: requests, and seconds for them, as in `"tenant";q=2000;w=4`.',
        schema: { type: 'string' },
      },
      ...((status === '429' || status === '503') && {
        'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer' } },
      }),
    };
  }
}

/**
 * `/openapi.json`, and a reference to browse at `/docs`, without any script or style of another site. Each is made when it
 * is first asked for: most processes are never asked, and starting waits for none.
 */
export function serveReference(server: Express, document: () => OpenAPIObject): void {
  const assets = join(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'), '..');
  const asset = (name: string) => once(() => readFileSync(join(assets, name)));
  const files = new Map<string, { readonly type: string; readonly content: () => string | Buffer }>([
    ['/openapi.json', { type: 'application/json', content: once(() => JSON.stringify(document())) }],
    ['/docs', { type: 'html', content: () => PAGE }],
    ['/docs/start.js', { type: 'text/javascript', content: () => START }],
    ['/docs/swagger-ui.css', { type: 'css', content: asset('swagger-ui.css') }],
    ['/docs/swagger-ui-bundle.js', { type: 'text/javascript', content: asset('swagger-ui-bundle.js') }],
  ]);
  // One look-up for all of them: every request of the API passes here.
  server.use((request, response, next) => {
    const file = request.method === 'GET' || request.method === 'HEAD' ? files.get(request.path) : undefined;
    if (file) response.type(file.type).send(file.content());
    else next();
  });
}

function once<T extends string | Buffer>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

const PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Waxell API</title><link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><div id="reference"></div><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body>
</html>`;
const START = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#reference', deepLinking: true, tryItOutEnabled: false });`;

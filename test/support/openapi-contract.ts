import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats, { type FormatsPlugin } from 'ajv-formats';

export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly required?: readonly string[];
  readonly format?: string;
  readonly pattern?: string;
  readonly example?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly minItems?: number;
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly schema?: Schema;
}

type Content = Readonly<Record<string, { readonly schema?: Schema }>>;

export interface Operation {
  readonly summary: string;
  readonly description: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
  readonly security?: readonly unknown[];
}

export interface OpenApiDocument {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** One documented method of one documented path. */
export interface DocumentedRoute {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

const DOCUMENT = 'https://tests.invalid/openapi.json';

/** The OpenAPI document of a running application, and whether its answers keep what it promises. */
export class OpenApiContract {
  readonly document: OpenApiDocument;
  readonly routes: readonly DocumentedRoute[];
  readonly #ajv: Ajv2020;
  readonly #validators = new Map<string, ValidateFunction>();

  constructor(document: OpenApiDocument) {
    this.document = document;
    this.routes = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
    );
    this.#ajv = new Ajv2020({ strict: false, allErrors: true });
    // The package's types say "module" where its code says "function".
    (addFormats as unknown as FormatsPlugin)(this.#ajv);
    this.#ajv.addSchema(closed(document) as object, DOCUMENT);
  }

  static async of(baseUrl: string): Promise<OpenApiContract> {
    const known = contracts.get(baseUrl) ?? OpenApiContract.#load(baseUrl);
    contracts.set(baseUrl, known);
    return known;
  }

  static async #load(baseUrl: string): Promise<OpenApiContract> {
    const response = await fetch(`${baseUrl}/openapi.json`);
    return new OpenApiContract((await response.json()) as OpenApiDocument);
  }

  /** The documented route of a request; undefined where there is none. */
  find(method: string, path: string): DocumentedRoute | undefined {
    const segments = path.split('/');
    return this.routes.find((route) => {
      if (route.method !== method) return false;
      const template = route.path.split('/');
      return (
        template.length === segments.length &&
        template.every((part, at) => part === segments[at] || (part.startsWith('{') && segments[at] !== ''))
      );
    });
  }

  /** Throws for an answer that the document does not announce: status, content type, every member of the body. */
  check(route: DocumentedRoute, status: number, contentType: string | null, body: unknown): void {
    const where = `${route.method} ${route.path}`;
    const response = route.operation.responses[String(status)];
    if (!response)
      throw new Error(`${where} answered ${status}, which is not documented: ${JSON.stringify(body)}`);
    const documented = Object.keys(response.content ?? {});
    const type = contentType?.split(';')[0]?.trim() ?? '';
    if (documented.length === 0) {
      if (body !== undefined) throw new Error(`${where} answered ${status} with a body; none is documented.`);
      return;
    }
    if (!documented.includes(type))
      throw new Error(`${where} answered ${status} as "${type}"; documented: ${documented.join(', ')}.`);
    if (type === 'text/event-stream' || type === 'application/jsonl') return;
    const pointer = ['paths', route.path, route.method.toLowerCase(), 'responses', status, 'content', type];
    this.#hold(pointer.map(String), body, `${where} answered ${status}`);
  }

  /** Throws for a problem that is not one as the document describes problems. */
  checkProblem(body: unknown): void {
    this.#hold(['components', 'schemas', 'ProblemDto'], body, 'The problem', false);
  }

  #hold(pointer: readonly string[], body: unknown, what: string, media = true): void {
    const path = [...pointer, ...(media ? ['schema'] : [])].map(escaped).join('/');
    const known = this.#validators.get(path) ?? this.#ajv.compile({ $ref: `${DOCUMENT}#/${path}` });
    this.#validators.set(path, known);
    if (known(body)) return;
    throw new Error(`${what}, but ${this.#ajv.errorsText(known.errors)}: ${JSON.stringify(body)}`);
  }
}

const contracts = new Map<string, Promise<OpenApiContract>>();

function escaped(part: string): string {
  return encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));
}

/** The same document with every described object closed: a member that is not documented is a leak. */
function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed);
  if (typeof node !== 'object' || node === null) return node;
  const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, closed(value)]));
  const schema = copy as { type?: unknown; properties?: unknown; additionalProperties?: unknown };
  const described = schema.type === 'object' && typeof schema.properties === 'object';
  return described && schema.additionalProperties === undefined
    ? { ...copy, additionalProperties: false }
    : copy;
}

import { isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import type { NextFunction, Request, Response } from 'express';
import express from 'express';
import { type AppError, InvalidRequest } from './errors.js';
import { asAppError } from './problem.js';
import type { BodyRecording } from './tenant-rules.js';
import { isNestedTooDeep } from './unfit-values.js';

/** The largest JSON body that is read. */
export const BODY_LIMIT_BYTES = 1_048_576;

type HashedRequest = Request & { bodySha256?: Buffer; bodyProblem?: AppError };

/**
 * Paths with a limit of their own, whose routes refuse a body that cannot be read themselves (`bodyProblemOf`): once it is
 * known who has sent it, so that it can be told to whom it concerns.
 */
export interface OwnBodies {
  readonly paths: RegExp;
  readonly limitBytes: number;
}

/** The largest form that is read: a SAML response of 256 KiB, in base64, with its `+`, `/` and `=` escaped. */
const FORM_LIMIT_BYTES = 524_288;

/** Paths whose bodies are one text of a media type of its own, such as a signed token: read as an object with the one member. */
export interface TextBodies {
  readonly paths: RegExp;
  readonly mediaType: string;
  readonly member: string;
  readonly limitBytes: number;
}

/** Why the body of a request below one of `OwnBodies` could not be read. */
export function bodyProblemOf(request: Request): AppError | undefined {
  return (request as HashedRequest).bodyProblem;
}

/**
 * Reads JSON bodies; forms instead where one of `forms` names the path, and texts where one of `texts` does. What is neither
 * is refused, not ignored; below `own` by the route.
 */
export function readBody(
  forms: readonly RegExp[],
  texts: readonly TextBodies[],
  own: readonly OwnBodies[],
): express.RequestHandler[] {
  const form = express.urlencoded({
    extended: false,
    limit: FORM_LIMIT_BYTES,
    parameterLimit: 10,
    inflate: false,
  });
  const json = readJson(BODY_LIMIT_BYTES);
  const others = own.map((one) => ({ ...one, read: readJson(one.limitBytes) }));
  const ownOf = (request: Request) => others.find(({ paths }) => paths.test(request.path));
  const plain = texts.map((one) => ({ paths: one.paths, read: readText(one) }));
  return [
    (request, response, next) => {
      const text = plain.find(({ paths }) => paths.test(request.path));
      if (text) text.read(request, response, next);
      else if (forms.some((paths) => paths.test(request.path))) form(request, response, next);
      else {
        const other = ownOf(request);
        if (other) other.read(request, response, (error?: unknown) => left(request, other, error, next));
        else json(request, response, next);
      }
    },
    (request: Request, _response: Response, next: NextFunction) => {
      const error = bodyProblemOf(request) ? undefined : unfit(request);
      const other = error && ownOf(request);
      if (other) left(request, other, error, next);
      else next(error);
    },
  ];
}

function readJson(limit: number): express.RequestHandler {
  return express.json({
    limit,
    inflate: false,
    strict: true,
    type: ['application/json', 'application/*+json'],
    verify: (request, _response, raw, encoding) => {
      // RFC 8259 section 8.1. Bytes that are no UTF-8 would be replaced, not refused.
      if (encoding !== 'utf-8' || !isUtf8(raw)) throw unsupported('not UTF-8');
      (request as HashedRequest).bodySha256 = hash('sha256', raw, 'buffer');
    },
  });
}

function unfit(request: Request): Error | undefined {
  const hasBody = Number(request.headers['content-length'] ?? 0) > 0 || request.headers['transfer-encoding'];
  if (hasBody && request.body === undefined) return unsupported('not JSON');
  if (!isNestedTooDeep(request.body)) return undefined;
  return new InvalidRequest([{ pointer: '', detail: 'is nested too deep' }]);
}

/** What could not be read is left to the route, and nothing else of it. */
function left(request: Request, { limitBytes }: OwnBodies, error: unknown, next: NextFunction): void {
  if (error !== undefined) {
    (request as HashedRequest).bodyProblem = asAppError(error, limitBytes);
    request.body = undefined;
  }
  next();
}

function readText({ mediaType, member, limitBytes }: TextBodies): express.RequestHandler {
  const read = express.text({ type: mediaType, limit: limitBytes, inflate: false });
  return (request, response, next) =>
    read(request, response, (error?: unknown) => {
      if (typeof request.body === 'string') request.body = { [member]: request.body };
      next(error);
    });
}

function unsupported(why: string): Error {
  return Object.assign(new Error(why), { status: 415, type: 'unsupported.media.type' });
}

export function bodyHashOf(request: Request): Buffer | undefined {
  return (request as HashedRequest).bodySha256;
}

const SECRET_NAME =
  /password|passphrase|secret|token|assertion|keys?$|authorization|credential|^saml|^(code|otp|pin)$/i;
/** Of persons: what an event says of one is sealed under that person's key, and a body may name anybody. */
const PERSONAL_NAME = /^(e_?mails?|phones?|telephone|display_?name|first_?name|last_?name|to|recipients?)$/i;
const KEPT_CHARACTERS = 16_384;

/**
 * A request's body as it may stand in an event: without what is secret by name or withheld, and, but for `full`, what is
 * personal; of what is very long, the beginning as text.
 */
export function recordableBody(
  body: unknown,
  recording: Exclude<BodyRecording, 'none'>,
  withheld: readonly string[] = [],
): unknown {
  if (body === undefined || body === null) return undefined;
  const text = JSON.stringify(body, (key, value: unknown) => {
    if (SECRET_NAME.test(key) || withheld.includes(key.toLowerCase())) return '[redacted]';
    return recording === 'redacted' && PERSONAL_NAME.test(key) ? '[personal]' : value;
  });
  if (text.length <= KEPT_CHARACTERS) return JSON.parse(text) as unknown;
  // What is secret or personal is out of the text before it is cut.
  const beginning = text.slice(0, KEPT_CHARACTERS).toWellFormed();
  return { truncated: true, characters: text.length, beginning };
}

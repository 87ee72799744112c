import { hash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { Log } from '../platform/observability/log.js';

/** Passwords of known breaches, by the first five characters of their SHA-1. Adapter: libs/infra/src/egress/breach-ranges.ts. */
export abstract class BreachRanges {
  /** Lines of `SUFFIX:COUNT`, as Have I Been Pwned has them. Rejects where there is no answer in time. */
  abstract range(prefix: string): Promise<string>;
}

/**
 * Whether a password was in a known breach: by Have I Been Pwned's ranges (k-anonymity), which learns five of the forty
 * characters of a SHA-1 and nothing of whose password it is. Without an answer nobody is kept from setting a password:
 * the built-in words were looked at before.
 */
@Injectable()
export class BreachedPasswords {
  constructor(
    @Inject(BreachRanges) private readonly ranges: BreachRanges | null,
    private readonly log: Log,
  ) {}

  async has(password: string): Promise<boolean> {
    if (!this.ranges) return false;
    // Not for secrecy: it is what the ranges are keyed by.
    const digest = hash('sha1', password, 'hex').toUpperCase();
    try {
      return isListed(await this.ranges.range(digest.slice(0, 5)), digest.slice(5));
    } catch (error) {
      const { name } = error as Error;
      this.log.warn(
        `A password could not be looked up among breached ones (${name}); the built-in words were.`,
      );
      return false;
    }
  }
}

/** Lines with a count of 0 are padding, so that the length of an answer tells nothing. */
export function isListed(range: string, suffix: string): boolean {
  return range.split(/\r?\n/).some((line) => {
    const [listed, count] = line.split(':');
    return listed === suffix && Number(count) > 0;
  });
}

import { Injectable } from '@nestjs/common';
import { ProvidedUsers } from '../auth/index.js';
import { Domains } from '../domains/index.js';
import { FindPerson } from '../federation/index.js';
import type { Subject } from './subject.js';
import type { TransmitterRow } from './transmitter-row.js';

/** Who of the organisation somebody is whom a security event names. */
@Injectable()
export class FindSubject {
  constructor(
    private readonly people: FindPerson,
    private readonly users: ProvidedUsers,
    private readonly domains: Domains,
  ) {}

  /** Ids of accounts; none where nobody is meant, or not in a way that this transmitter may. */
  async execute({ email_subjects: byEmail }: TransmitterRow, subject: Subject): Promise<readonly string[]> {
    if (subject.format === 'iss_sub') return this.people.bySubject(subject.issuer, subject.subject);
    if (subject.format !== 'email' || !byEmail) return [];
    // Of other domains an address says nothing of whose account it is.
    if (!(await this.domains.covers(subject.email))) return [];
    const user = await this.users.byEmail(subject.email);
    return user ? [user.id] : [];
  }
}

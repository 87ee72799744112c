import { Difference } from './difference.js';
import { asResource, ERROR, GROUP, PATCH, saysAtLeast, type Json, type Resource } from './resource.js';
import type { Answer, Exchange, ScimServer, Sending } from './scim-server.js';

export const NOBODY = '01890000-0000-7000-8000-000000000000';

/** Nothing can be sent to these (RFC 2606). */
const DOMAIN = 'simulated.invalid';

/** People of a run: few, so that a run does not look like a mass removal. */
export type Name = 'ada' | 'ben' | 'cyd';

export type Operation = { readonly op: string; readonly path?: string; readonly value?: Json };

/** What a provider does, step by step, at a server; and what of it is there still. */
export class Directory {
  /** Of all that the run has made, in that order. */
  readonly ids = new Set<string>();
  readonly #people = new Map<Name, string>();
  readonly #groups = new Set<string>();
  readonly #asked = { Users: new Set<string>(), Groups: new Set<string>() };

  constructor(
    private readonly server: ScimServer,
    private readonly mark: string,
    private readonly told: (exchange: Exchange) => void,
    /** How this provider describes somebody whom it adds. */
    private readonly profile: (userName: string, name: Name) => Resource,
  ) {}

  userName(name: Name): string {
    return `wax-${name}-${this.mark}@${DOMAIN}`;
  }

  groupName(name: string): string {
    return `wax ${name} ${this.mark}`;
  }

  /** @throws {Difference} where the answer has another status, or is none of SCIM's */
  async send(
    method: string,
    path: string,
    expected: readonly number[],
    sending: Sending = {},
  ): Promise<Answer> {
    const answer = await this.server.send(method, path, sending);
    this.told({ method, path, ...(sending.body !== undefined && { sent: sending.body }), answer });
    const what = `${method} ${path.replace(/\?.*/s, '?...')}`;
    if (!expected.includes(answer.status))
      throw new Difference(
        `${what} was answered ${answer.status}${reason(answer.body)}; expected ${expected.join(' or ')}`,
        'the status and detail, and GET /v1/scim/requests?outcome=refused for the request as it came',
      );
    requireScim(what, answer);
    return answer;
  }

  async refused(
    method: string,
    path: string,
    { status, scimType }: { status: number; scimType?: string },
    sending: Sending = {},
  ): Promise<void> {
    const { body } = await this.send(method, path, [status], sending);
    const expected = {
      schemas: [ERROR],
      status: String(status),
      ...(scimType !== undefined && { scimType }),
    };
    this.expect(
      body,
      expected,
      'the body of errors, RFC 7644 section 3.12: schemas, status as text, scimType',
    );
  }

  patch(path: string, ...operations: readonly Operation[]): Promise<Answer> {
    return this.send('PATCH', path, [200, 204], { body: { schemas: [PATCH], Operations: operations } });
  }

  async read(path: string): Promise<Resource> {
    return asResource((await this.send('GET', path, [200])).body) ?? {};
  }

  async list(kind: 'Users' | 'Groups', filter: string, query = ''): Promise<readonly Resource[]> {
    const found = await this.read(`/${kind}?filter=${encodeURIComponent(filter)}${query}`);
    const { totalResults, Resources = [] } = found;
    if (!Number.isInteger(totalResults) || !Array.isArray(Resources))
      throw new Difference(
        'the list has no whole number as totalResults, or Resources is no list',
        'the ListResponse, RFC 7644 section 3.4.2',
      );
    return Resources as readonly Resource[];
  }

  expect(actual: Json | undefined, expected: Json, lookAt: string): void {
    if (!saysAtLeast(actual, expected))
      throw new Difference(`expected ${quoted(expected)}, got ${quoted(actual)}`, lookAt);
  }

  /** Absent, or empty as a server may say it. */
  expectNone(resource: Resource, attribute: string, lookAt: string): void {
    const value = resource[attribute];
    if (value !== undefined && value !== null && value !== '')
      throw new Difference(`${attribute} is ${quoted(value)}; expected none`, lookAt);
  }

  /** Looks for somebody before it adds them, as providers do: who is there from an interrupted run is taken up. */
  async person(name: Name): Promise<string> {
    const known = this.#people.get(name);
    if (known !== undefined) return known;
    const userName = this.userName(name);
    const [found] = await this.list('Users', `userName eq "${userName}"`);
    this.#asked.Users.add(`userName eq "${userName}"`);
    const id = this.#own(found ?? (await this.#add('Users', this.profile(userName, name))));
    this.#people.set(name, id);
    return id;
  }

  async takeAway(name: Name): Promise<void> {
    await this.send('DELETE', `/Users/${await this.person(name)}`, [204]);
    this.#people.delete(name);
  }

  async group(name: string, members: readonly string[] = [], fields: Resource = {}): Promise<string> {
    const displayName = await this.freeGroupName(name);
    const body = {
      schemas: [GROUP],
      displayName,
      ...(members.length > 0 && { members: members.map((value) => ({ value })) }),
      ...fields,
    };
    const id = this.#own(await this.#add('Groups', body));
    this.#groups.add(id);
    return id;
  }

  /** A group of this name that an interrupted run has left goes. */
  async freeGroupName(name: string): Promise<string> {
    const displayName = this.groupName(name);
    const filter = `displayName eq "${displayName}"`;
    for (const left of await this.list('Groups', filter, '&excludedAttributes=members'))
      await this.send('DELETE', `/Groups/${idOf(left)}`, [204]);
    this.#asked.Groups.add(filter);
    return displayName;
  }

  async members(group: string): Promise<readonly string[]> {
    const { members = [] } = await this.read(`/Groups/${group}`);
    return (members as readonly Resource[]).map(idIn).toSorted();
  }

  async expectMembers(group: string, expected: readonly string[], lookAt: string): Promise<void> {
    const members = await this.members(group);
    if (members.join() !== expected.toSorted().join())
      throw new Difference(
        `the group has the ${members.length} members ${quoted(members)}; expected ${quoted([...expected])}`,
        lookAt,
      );
  }

  /** Takes all away that the run has made, also what it was not told the id of. @returns what is left, and why */
  async cleanUp(): Promise<string[]> {
    const left: string[] = [];
    const attempt = async (what: string, work: () => Promise<unknown>): Promise<void> => {
      await work().catch((error: unknown) => left.push(`${what}: ${(error as Error).message}`));
    };
    const known = { Groups: this.#groups, Users: new Set(this.#people.values()) };
    for (const kind of ['Groups', 'Users'] as const) {
      const ids = known[kind];
      for (const filter of this.#asked[kind])
        await attempt(filter, async () => {
          for (const found of await this.list(kind, filter)) ids.add(idOf(found));
        });
      for (const id of ids)
        await attempt(`/${kind}/${id}`, async () => {
          // DELETE ends all access by itself, where this is what the server cannot do.
          if (kind === 'Users')
            await this.patch(`/Users/${id}`, { op: 'replace', value: { active: false } }).catch(
              () => undefined,
            );
          await this.send('DELETE', `/${kind}/${id}`, [204, 404]);
        });
    }
    return left;
  }

  async #add(kind: 'Users' | 'Groups', body: Resource): Promise<Resource> {
    const sending = { body, contentType: 'application/json' };
    return asResource((await this.send('POST', `/${kind}`, [201], sending)).body) ?? {};
  }

  #own(resource: Resource): string {
    const id = idOf(resource);
    this.ids.add(id);
    return id;
  }
}

/** An answer of success says what it has made or found; only 204 says nothing. */
function requireScim(what: string, { status, type, body }: Answer): void {
  if (status === 204 ? body !== undefined : asResource(body) === undefined)
    throw new Difference(
      `${what} was answered ${status} ${body === undefined ? 'without a body' : 'with a body that is no resource'}`,
      'the body: 200 and 201 have the resource, 204 has none (RFC 7644 sections 3.3 and 3.5)',
    );
  if (status !== 204 && !/^application\/(scim\+)?json/i.test(type))
    throw new Difference(
      `${what} was answered as ${quoted(type)}`,
      'the Content-Type: application/scim+json',
    );
}

/** A member names who it is as its value. */
function idIn({ value = null }: Resource): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function idOf({ id }: Resource): string {
  if (typeof id === 'string' && /^[\w.-]{1,128}$/.test(id)) return id;
  throw new Difference(`the resource has no usable id: ${quoted(id)}`, 'id, RFC 7643 section 3.1');
}

function reason(body: Json | undefined): string {
  const { scimType, detail } = asResource(body) ?? {};
  return [scimType, detail].map((said) => (typeof said === 'string' ? ` ${quoted(said)}` : '')).join('');
}

/** Short, on one line, and nothing that a terminal obeys. */
function quoted(value: Json | undefined): string {
  return (JSON.stringify(value) ?? 'nothing').replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 300);
}

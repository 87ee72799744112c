import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Caller } from '../test/tour/api.ts';
import type { Application } from '../test/tour/application.ts';
import { must } from './our-side.ts';

const PEERS = fileURLToPath(new URL('peers', import.meta.url));
const INSTALL_LIMIT_MS = 240_000;
const START_LIMIT_MS = 60_000;

/** A server that speaks SCIM, with whatever it needs to be asked. */
export interface ScimServer {
  readonly pid: number;
  /** Of SCIM: with `/Users` and `/Groups` below it. */
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Which of these people are in a group. */
  readonly held: (group: string, people: readonly string[]) => Promise<readonly string[]>;
  stop(): void;
}

/** Ours: a directory set by the owner, as an administrator sets it, and many more people allowed than by default. */
export async function ourServer(app: Application): Promise<ScimServer> {
  const { apiKey, operatorKey, tenant: slug, ownerEmail: email, ownerPassword: password } = app.first;
  const origin = app.first.baseUrl.replace('localhost', '127.0.0.1');
  const { tenant } = (await must(new Caller(origin, apiKey).get('/v1/me'), 200)) as {
    tenant: { id: string };
  };
  const operator = new Caller(origin, operatorKey);
  const { version } = (await must(operator.get(`/v1/tenants/${tenant.id}`), 200)) as { version: number };
  const unreached = { quotas: { users: 1_000_000 } };
  const match = { 'If-Match': `"${version}"` };
  await must(operator.send('PATCH', `/v1/tenants/${tenant.id}`, unreached, match), 200);
  const login = new Caller(origin, undefined, slug).post('/v1/auth/login', { email, password });
  const { accessToken } = (await must(login, 200)) as { accessToken: string };
  const owner = new Caller(origin, accessToken, slug);
  await must(owner.post('/v1/auth/step-up', { password }), 200);
  const settings = { name: 'bench', kind: 'generic' };
  const made = (await must(owner.post('/v1/scim/directories', settings), 201)) as { id: string };
  const issued = await must(owner.post(`/v1/scim/directories/${made.id}/tokens`, {}), 201);
  const { token } = issued as { token: string };
  const scim = new Caller(origin, token);
  return {
    ...scimOf(`${origin}/scim/v2`, token),
    pid: app.pid,
    held: async (group, people) => {
      const { members } = (await must(scim.get(`/scim/v2/Groups/${group}`), 200)) as {
        members: { value: string }[];
      };
      const all = new Set(members.map(({ value }) => value));
      return people.filter((id) => all.has(id));
    },
    stop: () => undefined,
  };
}

function scimOf(baseUrl: string, token: string): Pick<ScimServer, 'baseUrl' | 'headers'> {
  return {
    baseUrl,
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/scim+json' },
  };
}

/** The package of peers, installed into a copy: the project itself depends on none of them. */
export class Peers {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** @throws whatever npm says */
  static async install(): Promise<Peers> {
    const folder = await mkdtemp(join(tmpdir(), 'waxell-peers-'));
    try {
      await cp(PEERS, folder, { recursive: true });
      const install = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
      await promisify(execFile)('npm', install, { cwd: folder, timeout: INSTALL_LIMIT_MS });
      return new Peers(folder);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async start(script: string, ...parameters: readonly string[]): Promise<ScimServer> {
    const child = fork(join(this.#folder, script), parameters, {
      cwd: this.#folder,
      execArgv: [],
    });
    const late = AbortSignal.timeout(START_LIMIT_MS);
    const ready = once(child, 'message', { signal: late });
    const gone = once(child, 'exit', { signal: late }).then(() => {
      throw new Error(`${script} ended before it was ready.`);
    });
    try {
      const [{ port, token }] = (await Promise.race([ready, gone])) as [{ port: number; token: string }];
      const origin = `http://127.0.0.1:${port}`;
      return {
        ...scimOf(`${origin}/scim`, token),
        pid: child.pid ?? 0,
        held: async (group, people) =>
          (await must(new Caller(origin).get(`/members/${group}?of=${people.join(',')}`), 200)) as string[],
        stop: () => void child.kill(),
      };
    } catch (error) {
      child.kill();
      throw error;
    }
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

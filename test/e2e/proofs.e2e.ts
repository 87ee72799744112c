import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  leafHash,
  openCheckpoint,
  parseVerifier,
  verifyConsistency,
  verifyInclusion,
} from '@waxell/transparency';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  CheckpointDto,
  CheckpointKeysDto,
  ConsistencyProofDto,
  InclusionProofDto,
  NewCheckpointKeyDto,
  PublicationProofDto,
} from '../../src/proofs/proofs.dto.js';
import { sharedApplication } from '../support/shared-application.js';
import { client, must, refusal } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { createApiKey, createPerson, createTenant, signIn, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const WAX = fileURLToPath(new URL('../../libs/cli/bin/wax.js', import.meta.url));

let acme: TestTenant;
let globex: TestTenant;
let folder: string;

beforeAll(async () => {
  [acme, globex] = [await createTenant(app), await createTenant(app, { region: 'eu-west-1' })];
  folder = await mkdtemp(join(tmpdir(), 'waxell-wax-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** The program as its user runs it: what it printed, and its exit code. */
function wax(
  args: readonly string[],
  apiKey?: string,
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const env = { PATH: process.env['PATH'] ?? '', ...(apiKey !== undefined && { WAXELL_API_KEY: apiKey }) };
    const options = { env, maxBuffer: 64 * 1_048_576 };
    const child = execFile(process.execPath, [WAX, ...args], options, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

async function verifiers() {
  const { items } = await must(client(app.baseUrl).get<CheckpointKeysDto>('/v1/audit/keys'), 200);
  return items.map(({ verifier }) => parseVerifier(verifier));
}

const hashes = (hex: readonly string[]): Buffer[] => hex.map((hash) => Buffer.from(hash, 'hex'));

async function saved(name: string, content: string): Promise<string> {
  await writeFile(join(folder, name), content);
  return join(folder, name);
}

describe('a log', () => {
  it('proves itself to its organisation, by signed checkpoints that are published for all', async () => {
    const first = await must(acme.api.get<CheckpointDto>('/v1/audit/checkpoint'), 200);
    for (let at = 0; at < 5; at += 1) await must(acme.api.get('/v1/me'), 200);
    const second = await must(acme.api.get<CheckpointDto>('/v1/audit/checkpoint'), 200);
    const known = await verifiers();
    const [older, newer] = [openCheckpoint(first.note, known), openCheckpoint(second.note, known)];
    expect(newer.origin.endsWith(acme.id)).toBe(true);
    expect(newer.size).toBeGreaterThanOrEqual(older.size + 5);

    const between = `/v1/audit/proofs/consistency?from=${older.size}&to=${newer.size}`;
    const consistency = await must(acme.api.get<ConsistencyProofDto>(between), 200);
    verifyConsistency(older, newer, hashes(consistency.hashes));

    const inclusion = await must(
      acme.api.get<InclusionProofDto>(`/v1/audit/proofs/inclusion?seq=2&size=${newer.size}`),
      200,
    );
    verifyInclusion(
      Buffer.from(inclusion.leafHash, 'hex'),
      1,
      newer.size,
      hashes(inclusion.hashes),
      newer.root,
    );

    const publication = await must(
      acme.api.get<PublicationProofDto>(`/v1/audit/proofs/publication?size=${newer.size}`),
      200,
    );
    const published = openCheckpoint(publication.rootCheckpoint, known);
    expect(publication.leafHash).toBe(leafHash(Buffer.from(second.note)).toString('hex'));
    const path = hashes(publication.hashes);
    verifyInclusion(
      Buffer.from(publication.leafHash, 'hex'),
      publication.index,
      published.size,
      path,
      published.root,
    );
    const roots = `/v1/audit/proofs/roots?from=1&to=${published.size}`;
    const grown = await must(acme.api.get<ConsistencyProofDto>(roots), 200);
    expect(grown.toRootHash).toBe(published.root.toString('hex'));
    const one = { size: 1, root: Buffer.from(grown.fromRootHash, 'hex') };
    verifyConsistency(one, published, hashes(grown.hashes));
    expect(await refusal(acme.api.get(`${roots}000`))).toMatchObject({ status: 404 });
  });

  it('is checkpointed without being asked', async () => {
    await must(globex.api.get('/v1/me'), 200);
    const before = await globex.api.all<CheckpointDto>('/v1/audit/checkpoints');
    const newest = (before.at(0)?.size ?? 0) + 1;
    await eventually(async () => {
      const [latest] = await globex.api.all<CheckpointDto>('/v1/audit/checkpoints');
      expect(latest?.size).toBeGreaterThanOrEqual(newest);
    }, 30_000);
  });

  it('is exported, and verified offline by who kept the keys and a checkpoint', async () => {
    const keys = await saved('keys.txt', (await wax(['audit', 'keys', '--url', app.baseUrl])).stdout);
    const kept = await saved(
      'kept.txt',
      (await must(acme.api.get<CheckpointDto>('/v1/audit/checkpoint'), 200)).note,
    );
    await must(acme.api.get('/v1/me'), 200);
    const exported = await wax(['audit', 'export', '--url', app.baseUrl], acme.apiKey);
    expect(exported.code).toBe(0);
    expect(exported.stdout).not.toContain(acme.owner.email);
    const file = await saved('audit.jsonl', exported.stdout);
    const verify = (name: string, ...more: string[]) =>
      wax(['audit', 'verify', name, '--keys', keys, '--checkpoint', kept, ...more]);
    const intact = await verify(file);
    expect({ code: intact.code, said: intact.stdout }).toEqual({
      code: 0,
      said: expect.stringMatching(/^Intact: \d+ events, held against 2 signed checkpoints\.\n$/) as string,
    });

    const size = openCheckpoint(await readFile(kept, 'utf8'), await verifiers()).size;
    const proof = await must(acme.api.get(`/v1/audit/proofs/publication?size=${size}`), 200);
    const publication = await saved('publication.json', JSON.stringify(proof));
    const published = await verify(file, '--publication', publication);
    expect(published.stdout).toContain(`The checkpoint of ${size} events is one of `);
    const other = await saved('other.json', JSON.stringify({ ...(proof as object), index: 0 }));
    const unproven = await verify(file, '--publication', other);
    expect(unproven).toMatchObject({ code: 1 });
    expect(unproven.stdout).toContain('NOT INTACT: publication_unproven');

    const lines = exported.stdout.trimEnd().split('\n');
    const altered = lines.map((line, at) => (at === 2 ? line.replace('success', 'failure') : line));
    const tampered = await verify(await saved('altered.jsonl', altered.join('\n')));
    expect(tampered.code).toBe(1);
    expect(tampered.stdout).toContain('NOT INTACT: event_altered at event 3.');
    const cut = await verify(await saved('cut.jsonl', [...lines.slice(0, 3), ...lines.slice(-1)].join('\n')));
    expect(cut.stdout).toContain('NOT INTACT: truncated at event 4.');
  });

  it('of the installation is exported by the operator alone, and verified offline as any other', async () => {
    const operator = client(app.baseUrl, app.firstRun.operatorKey);
    const checkpoint = await must(operator.get<CheckpointDto>('/v1/installation/audit/checkpoint'), 200);
    const [keys, kept] = [
      await saved('keys.txt', (await wax(['audit', 'keys', '--url', app.baseUrl])).stdout),
      await saved('kept-of-all.txt', checkpoint.note),
    ];
    const exporting = ['audit', 'export', '--installation', '--url', app.baseUrl];
    const exported = await wax(exporting, app.firstRun.operatorKey);
    expect(exported.stdout).toContain('tenant.created');
    const file = await saved('installation.jsonl', exported.stdout);
    const verify = (name: string) => wax(['audit', 'verify', name, '--keys', keys, '--checkpoint', kept]);
    expect((await verify(file)).stdout).toMatch(
      /^Intact: \d+ events, held against 2 signed checkpoints\.\n$/,
    );
    const altered = exported.stdout.replace('tenant.created', 'tenant.deleted');
    expect((await verify(await saved('forged.jsonl', altered))).stdout).toContain(
      'NOT INTACT: event_altered',
    );
    for (const path of ['export', 'checkpoint'])
      expect(await refusal(acme.api.get(`/v1/installation/audit/${path}`))).toMatchObject({ status: 403 });
    expect((await wax(exporting, acme.apiKey)).code).toBe(2);
  });

  it('of the installation has requests of paths that there are not: nobody’s log is the caller’s to choose', async () => {
    const path = `/v1/nothing-${acme.id}`;
    for (const api of [acme.api, globex.api, client(app.baseUrl)])
      expect(await refusal(api.get(path))).toMatchObject({ status: 404 });
    const exporting = ['audit', 'export', '--installation', '--url', app.baseUrl];
    const { stdout } = await wax(exporting, app.firstRun.operatorKey);
    const rejected = stdout.split('\n').filter((line) => line.includes('request.rejected'));
    expect(rejected.filter((line) => line.includes('ROUTE_NOT_FOUND')).length).toBeGreaterThanOrEqual(3);
    for (const key of [acme.apiKey, globex.apiKey])
      expect((await wax(['audit', 'export', '--url', app.baseUrl], key)).stdout).not.toContain(path);
  });

  it('of another organisation is not to be had', async () => {
    const theirs = await must(globex.api.get<CheckpointDto>('/v1/audit/checkpoint'), 200);
    expect(theirs.note).toContain(globex.id);
    expect(theirs.note).not.toContain(acme.id);
    const exported = await wax(['audit', 'export', '--url', app.baseUrl], globex.apiKey);
    expect(exported.stdout).not.toContain(acme.id);
    const reader = await createApiKey(acme.api, ['audit:read']);
    const refused = await wax(['audit', 'export', '--url', app.baseUrl], reader.key);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('403');
    expect(await readFile(join(folder, 'audit.jsonl'), 'utf8')).toContain(acme.id);
  });

  it('refuses what cannot be proven', async () => {
    const { size } = await must(acme.api.get<CheckpointDto>('/v1/audit/checkpoint'), 200);
    const cases: readonly [string, number, string][] = [
      [`inclusion?seq=${size + 1}&size=${size}`, 400, 'INVALID_REQUEST'],
      [`inclusion?seq=1&size=${size + 100_000}`, 404, 'NOT_FOUND'],
      ['inclusion?seq=0', 400, 'INVALID_REQUEST'],
      ['inclusion?seq=1.5', 400, 'INVALID_REQUEST'],
      ['inclusion?seq=1e99', 400, 'INVALID_REQUEST'],
      ['inclusion', 400, 'INVALID_REQUEST'],
      [`consistency?from=${size}&to=0`, 400, 'INVALID_REQUEST'],
      [`consistency?from=${size + 7}&to=${size}`, 404, 'NOT_FOUND'],
      ['publication?size=x', 400, 'INVALID_REQUEST'],
    ];
    for (const [path, status, code] of cases)
      expect({ path, ...(await refusal(acme.api.get(`/v1/audit/proofs/${path}`))) }).toEqual({
        path,
        status,
        code,
      });
    const { accessToken } = await signIn(app, acme.slug, await createPerson(acme.api, 'Developer'));
    expect(await refusal(client(app.baseUrl, accessToken).get('/v1/audit/checkpoint'))).toMatchObject({
      status: 403,
    });
  });

  it('is signed by two keys after a rotation, which is the operator’s', async () => {
    const before = await verifiers();
    expect(await refusal(acme.api.post('/v1/audit/keys/rotate'))).toMatchObject({ status: 403 });
    const operator = client(app.baseUrl, app.firstRun.operatorKey);
    const { verifier } = await must(operator.post<NewCheckpointKeyDto>('/v1/audit/keys/rotate'), 201);
    const { note } = await must(acme.api.get<CheckpointDto>('/v1/audit/checkpoint'), 200);
    expect(openCheckpoint(note, [parseVerifier(verifier)]).origin).toContain(acme.id);
    expect(openCheckpoint(note, before).origin).toContain(acme.id);
  });
});

import { join } from 'node:path';
import { FileObjectStore, LocalKms, ObjectEnvelope } from '@waxell/infra';
import type pg from 'pg';
import '../../src/app.module.js';
import { CLIENT_PLACE, PERSONAL_PLACE, parseEvent } from '../../src/audit/audit-event.js';
import { FieldUnreadable, kekIdOf, openField, type Kek } from '../../src/encryption/field-codec.js';
import type { FieldPlace } from '../../src/encryption/field-place.js';
import { sealedColumns } from '../../src/encryption/sealed-columns.js';
import { openSubjectKey, type SubjectRow } from '../../src/encryption/subject-key.js';
import { KEY_ROWS, openKeys, hexOf, type KeyRow } from '../../src/encryption/tenant-keys.js';
import type { TenantKeys } from '../../src/encryption/index.js';
import type { TenantRef } from '../../src/platform/database/index.js';
import { asSuperuser, REGIONS, type Region } from './embedded-database.js';

/** What was found sealed in a tenant's tables, log and objects: what opens, and how much does not. */
export interface StillReadable {
  readonly texts: readonly string[];
  readonly unreadable: number;
}

interface SealedValue {
  readonly place: Omit<FieldPlace, 'tenant'>;
  readonly value: Buffer;
}

/**
 * Opens everything of a tenant of an embedded installation that its database, its objects and its key service still open:
 * what somebody reads who has all of them, and knows this program.
 */
export async function stillReadable(home: string, region: Region, id: string): Promise<StillReadable> {
  const cell = `${region}-c1`;
  const cellHome = region === REGIONS[0] ? home : join(home, 'cells', cell);
  const kms = await LocalKms.open({ home: cellHome });
  const dir = join(cellHome, 'objects');
  const objects = new FileObjectStore({ dir, envelope: await ObjectEnvelope.openFolder(kms, dir) });
  return asSuperuser(home, region, async (database) => {
    const keys = await keysLeft({ id, region, cell } as TenantRef, database, kms);
    const sealed = [
      ...(await ofTables(id, database)),
      ...(await ofLog(id, database)),
      ...(await ofObjects(id, objects)),
    ];
    const texts: string[] = [];
    let unreadable = 0;
    for (const { place, value } of sealed) {
      const text = opened(keys, { ...place, tenant: id }, value);
      if (text === undefined) unreadable += 1;
      else texts.push(text);
    }
    return { texts, unreadable };
  });
}

/** The tenant's keys and those of persons, as far as they are there. */
async function keysLeft(tenant: TenantRef, database: pg.Client, kms: LocalKms): Promise<Map<string, Kek>> {
  const schema = `"${tenant.id}"`;
  const { rows } = await database.query<KeyRow>(
    KEY_ROWS.text.replace('encryption_keys', `${schema}.encryption_keys`),
  );
  const keys = await openKeys(tenant, rows, kms);
  const persons = await database.query<SubjectRow>(
    `SELECT id, person, state, wrapped, wrapped_by FROM ${schema}.subject_keys`,
  );
  const all = new Map(keys.byId);
  for (const row of persons.rows) {
    const kek = openSubjectKey(keys as unknown as TenantKeys, tenant.id, row);
    if (kek) all.set(hexOf(row.id), kek);
  }
  return all;
}

async function ofTables(id: string, database: pg.Client): Promise<SealedValue[]> {
  const found: SealedValue[] = [];
  for (const { schema, table, column, key } of sealedColumns()) {
    if (schema) continue;
    const parts = key.map(([name, type]) => (type === 'bytea' ? `encode(${name}, 'hex')` : `${name}::text`));
    const { rows } = await database.query<{ row: string; value: Buffer }>(
      `SELECT concat_ws('/', ${parts.join(', ')}) AS row, ${column} AS value FROM "${id}".${table} WHERE ${column} IS NOT NULL`,
    );
    for (const { row, value } of rows) found.push({ place: { table, column, row }, value });
  }
  return found;
}

async function ofLog(id: string, database: pg.Client): Promise<SealedValue[]> {
  const { rows } = await database.query<{ event: Buffer }>(
    `SELECT event FROM audit.events WHERE tenant = $1 UNION ALL SELECT event FROM audit.outbox WHERE tenant = $1`,
    [id],
  );
  const ofEvents = rows.flatMap(({ event }): SealedValue[] => {
    const { id: row, client, sealed } = parseEvent(event);
    return [
      ...(client
        ? [{ place: { ...CLIENT_PLACE, row: client.id }, value: Buffer.from(client.sealed, 'base64') }]
        : []),
      ...(sealed === undefined
        ? []
        : [{ place: { ...PERSONAL_PLACE, row }, value: Buffer.from(sealed, 'base64') }]),
    ];
  });
  const saved = await database.query<{ row: string; value: Buffer }>(
    'SELECT id::text AS row, filter AS value FROM audit.exports WHERE tenant = $1',
    [id],
  );
  const filters = saved.rows.map(({ row, value }) => ({
    place: { table: 'audit_exports', column: 'filter', row },
    value,
  }));
  return [...ofEvents, ...filters];
}

/** The tenant's sealed objects: `tenants/<tenant>/<folder>/<thing>/<part>`. */
async function ofObjects(id: string, objects: FileObjectStore): Promise<SealedValue[]> {
  const found: SealedValue[] = [];
  for (const key of await objects.list(`tenants/${id}/`, { limit: 10_000 })) {
    const [column = '', row = '', ...folder] = key.split('/').toReversed();
    const value = await objects.get(key);
    const table = folder.toReversed().slice(2).join('/');
    if (value) found.push({ place: { table, column, row }, value });
  }
  return found;
}

function opened(keys: ReadonlyMap<string, Kek>, place: FieldPlace, value: Buffer): string | undefined {
  try {
    const kek = keys.get(kekIdOf(value));
    return kek && openField(kek, place, value).toString('utf8');
  } catch (error) {
    if (error instanceof FieldUnreadable) return undefined;
    throw error;
  }
}

import { createHash } from 'node:crypto';
import type { ExportManifest } from '../../src/organisations/export-store.js';

/** An export as it was read, by what its lines are of. */
export interface ReadExport {
  readonly manifest: ExportManifest;
  readonly rows: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;
  readonly events: readonly { readonly seq: number; readonly event: string; readonly chainHash: string }[];
  readonly text: string;
}

/** Reads an export's lines, and holds them against its manifest. */
export function parseExport(text: string): ReadExport {
  const [first = '', ...lines] = text.trimEnd().split('\n');
  const { manifest } = JSON.parse(first) as { manifest: ExportManifest };
  const rows: Record<string, Record<string, unknown>[]> = {};
  const events: ReadExport['events'][number][] = [];
  let at = 0;
  for (const { part, lines: count, bytes, sha256, of } of manifest.parts) {
    const own = lines.slice(at, at + count);
    at += count;
    const content = Buffer.from(`${own.join('\n')}\n`);
    const found = createHash('sha256').update(content).digest('hex');
    if (content.length !== bytes || found !== sha256)
      throw new Error(`Part ${part} is not what the manifest says.`);
    for (const line of own) {
      const { table, row, audit } = JSON.parse(line) as {
        table?: string;
        row?: Record<string, unknown>;
        audit?: ReadExport['events'][number];
      };
      if ((table ?? 'audit') !== of)
        throw new Error(`Part ${part} of ${of} has a line of ${table ?? 'audit'}.`);
      if (audit) events.push(audit);
      else (rows[of] ??= []).push(row ?? {});
    }
  }
  if (at !== lines.length) throw new Error(`The export has ${lines.length} lines, and its manifest ${at}.`);
  return { manifest, rows, events, text };
}

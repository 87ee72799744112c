import type { AuditEventDto } from '../audit/index.js';

export const FORMATS = ['jsonl', 'csv'] as const;
export type ExportFormat = (typeof FORMATS)[number];

/** How a format's file is made: what it begins with, and what stands in it for an event. */
export interface FormatWriter {
  readonly type: string;
  readonly beginning: string;
  line(event: AuditEventDto): string;
}

/** Spreadsheets take what begins like this for a formula, and calculate it (OWASP, CSV injection). */
const FORMULA = /^[\s\0]*[=+\-@|%]|^[\t\r\n]/;
const QUOTED = /[",\r\n]/;

const COLUMNS: readonly (readonly [name: string, value: (event: AuditEventDto) => unknown])[] = [
  ['seq', ({ seq }) => seq],
  ['id', ({ id }) => id],
  ['at', ({ at }) => at],
  ['action', ({ action }) => action],
  ['outcome', ({ outcome }) => outcome],
  ['actor_type', ({ actor }) => actor.type],
  ['actor_id', ({ actor }) => actor.id],
  ['actor_user_id', ({ actor }) => actor.userId],
  ['session_id', ({ actor }) => actor.sessionId],
  ['on_behalf_of', ({ actor }) => actor.onBehalfOf],
  ['resource_type', ({ resource }) => resource?.type],
  ['resource_id', ({ resource }) => resource?.id],
  ['request_id', ({ request }) => request?.id],
  ['method', ({ request }) => request?.method],
  ['path', ({ request }) => request?.path],
  ['reason', ({ reason }) => reason],
  ['region', ({ region }) => region],
  ['policies', ({ policies }) => policies],
  ['decision', ({ decision }) => decision],
  ['changes', ({ changes }) => changes],
  ['personal', ({ personal }) => personal],
  ['chain_hash', ({ chainHash }) => chainHash],
];

export const WRITERS: Readonly<Record<ExportFormat, FormatWriter>> = {
  jsonl: {
    type: 'application/jsonl',
    beginning: '',
    line: (event) => `${JSON.stringify(event)}\n`,
  },
  csv: {
    type: 'text/csv; charset=utf-8; header=present',
    beginning: rowOf(COLUMNS.map(([name]) => name)),
    line: (event) => rowOf(COLUMNS.map(([, value]) => value(event))),
  },
};

/** RFC 4180. */
function rowOf(values: readonly unknown[]): string {
  return `${values.map((value) => cellOf(value)).join(',')}\r\n`;
}

function cellOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const harmless = FORMULA.test(text) ? `'${text}` : text;
  return QUOTED.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

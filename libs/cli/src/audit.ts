import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseVerifier } from '@waxell/transparency';
import { UsageError, type Command } from './command.js';
import { linesOf } from './lines.js';
import { ask, baseUrl, parsed } from './server.js';
import type { Finding } from './finding.js';
import { verifyPublication } from './verify-publication.js';
import { verifyExport, type Begins } from './verify-export.js';

/** `wax audit verify FILE... --keys FILE [--checkpoint FILE]... [--publication FILE]... [--begins-after N]`: 0 intact, 1 tampered with. */
export const verify: Command = async (args, { out }) => {
  const { values, positionals } = parsed(args, {
    keys: { type: 'string' },
    checkpoint: { type: 'string', multiple: true },
    'begins-after': { type: 'string' },
    publication: { type: 'string', multiple: true },
  });
  if (positionals.length === 0 || values.keys === undefined)
    throw new UsageError('Name the export and the file of the keys: wax audit verify FILE --keys FILE');
  const verifiers = (await readFile(values.keys, 'utf8'))
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => parseVerifier(line));
  const kept = await Promise.all((values.checkpoint ?? []).map((name) => readFile(name, 'utf8')));
  const told = beginsAfter(values['begins-after']);
  const verified = await verifyExport(linesOf(positionals), verifiers, kept, told);
  const { events, checkpoints, begins, finding } = verified;
  if (finding) return tellOf(finding, out);
  const published: string[] = [];
  for (const name of values.publication ?? []) {
    const proof = verifyPublication(await readFile(name, 'utf8'), kept, verifiers);
    if ('kind' in proof) return tellOf(proof, out);
    published.push(`The checkpoint of ${proof.size} events is one of ${proof.published} that are published.`);
  }
  out(`Intact: ${events} events, held against ${checkpoints.length} signed checkpoints.`);
  if (begins) out(beginning(begins));
  for (const line of published) out(line);
  return 0;
};

function tellOf({ kind, seq, message }: Finding, out: (line: string) => void): number {
  const where = seq === undefined ? '' : ` at event ${seq}`;
  out(`NOT INTACT: ${kind}${where}. ${message}`);
  return 1;
}

function beginsAfter(told: string | undefined): number | undefined {
  if (told === undefined || /^[1-9]\d{0,14}$/.test(told)) return told === undefined ? told : Number(told);
  throw new UsageError('Give --begins-after the number of the last event that is not in the file.');
}

function beginning({ after, vouchedBy, unheld }: Begins): string {
  const why =
    vouchedBy === undefined
      ? 'no event says why, and it was believed because --begins-after said so'
      : `event ${vouchedBy} says that their time was over`;
  const rest =
    unheld.length === 0 ? '' : ` Held against nothing: the checkpoints of ${unheld.join(', ')} events.`;
  return `Events 1 to ${after} are gone: ${why}.${rest}`;
}

/** `wax audit export --url URL [--from N] [--installation]`: the log to standard output; the installation's own is the operator's. */
export const exportLog: Command = async (args, { env, stream }) => {
  const { values } = parsed(args, {
    url: { type: 'string' },
    from: { type: 'string' },
    installation: { type: 'boolean' },
  });
  const key = env['WAXELL_API_KEY'];
  if (key === undefined || key === '')
    throw new UsageError(
      'Put an API key with the scope audit:admin, or with --installation the operator key, into WAXELL_API_KEY.',
    );
  const url = new URL(
    values.installation ? '/v1/installation/audit/export' : '/v1/audit/export',
    baseUrl(values.url),
  );
  if (values.from !== undefined) url.searchParams.set('from', values.from);
  const answer = await ask(url, { authorization: `Bearer ${key}` });
  await pipeline(Readable.fromWeb(answer.body as never), stream, { end: false });
  return 0;
};

/** `wax audit keys --url URL`: the keys by which checkpoints are verified, a line each. */
export const keys: Command = async (args, { out }) => {
  const { values } = parsed(args, { url: { type: 'string' } });
  const answer = await ask(new URL('/v1/audit/keys', baseUrl(values.url)), {});
  const { items } = (await answer.json()) as { items: readonly { verifier: string }[] };
  for (const { verifier } of items) out(verifier);
  return 0;
};

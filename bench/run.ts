/** `npm run -s bench -- NAME`: one bench of this folder. A table for people, then one line of JSON for programs. */
import { isAbsolute, resolve } from 'node:path';
import { machine, type Bench } from './measure.ts';

const BENCHES: Record<string, () => Promise<{ default: Bench }>> = {
  access: () => import('./access.ts'),
  audit: () => import('./audit.ts'),
  auth: () => import('./auth.ts'),
  codec: () => import('./codec.ts'),
  move: () => import('./move.ts'),
  request: () => import('./request.ts'),
  scim: () => import('./scim.ts'),
  search: () => import('./search.ts'),
  tenancy: () => import('./tenancy.ts'),
  tenants: () => import('./tenants.ts'),
};

const [name = '', ...options] = process.argv.slice(2);
const load = BENCHES[name];
if (!load) {
  process.stderr.write(
    `Usage: npm run -s bench -- NAME [--profile FOLDER]\nNAME: ${Object.keys(BENCHES).join(', ')}\n`,
  );
  process.exit(2);
}
const folder = options[0] === '--profile' ? options[1] : undefined;
const bench = (await load()).default;
const { ratios, absolute, postgres } = await bench({
  ...(folder !== undefined && { profileFolder: isAbsolute(folder) ? folder : resolve(folder) }),
  say: (line) => process.stdout.write(`${line}\n`),
});
process.stdout.write(`${JSON.stringify({ bench: name, ratios, absolute, machine: machine(postgres) })}\n`);

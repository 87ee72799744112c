import { UsageError, type Command } from './command.js';
import { asPerson } from './person.js';
import { ask, baseUrl, parsed } from './server.js';

interface Keys {
  readonly custody: string;
  readonly customerKey?: string;
  readonly mode?: string;
  readonly items: readonly { id: string; purpose: string; state: string; ageDays: number }[];
  readonly seals: number;
  readonly rotateAfterDays: number;
  readonly rotateAt?: string;
  readonly rotation?: { status: string; step: string; values: number; unreadable: number; error?: string };
  readonly deletion?: { destroyAfter: string };
}

/** `wax keys list --url URL`: ids, purposes, states and ages; what is going on with them. */
export const listKeys: Command = async (args, { env, out }) => {
  const { values } = parsed(args, { url: { type: 'string' } });
  const key = env['WAXELL_API_KEY'];
  if (key === undefined || key === '')
    throw new UsageError('Put an API key with the scope key:read into WAXELL_API_KEY.');
  const answer = await ask(new URL('/v1/keys', baseUrl(values.url)), { authorization: `Bearer ${key}` });
  const { custody, customerKey, mode, items, seals, rotateAfterDays, rotateAt, rotation, deletion } =
    (await answer.json()) as Keys;
  out(`custody: ${custody}${customerKey === undefined ? '' : `, ${customerKey}, ${mode}`}`);
  for (const { id, purpose, state, ageDays } of items) out(`${id}  ${purpose}  ${state}  ${ageDays} days`);
  out(
    `${seals} seals; replaced after ${rotateAfterDays} days${rotateAt === undefined ? '' : `, at ${rotateAt}`}`,
  );
  if (rotation)
    out(
      `rotation: ${rotation.status}, ${rotation.step}; ${rotation.values} values, ${rotation.unreadable} unreadable`,
    );
  if (deletion) out(`TO BE DESTROYED after ${deletion.destroyAfter}: wax keys cancel-deletion`);
  return 0;
};

/** `wax keys rotate`: begins a rotation, and does not wait for its end. */
export const rotate: Command = (args, surroundings) =>
  asPerson(args, surroundings, async (send, out) => {
    const { id } = (await (await send('POST', '/v1/keys/rotate')).json()) as { id: string };
    out(`The rotation ${id} has begun; wax keys list says how it stands.`);
  });

export const rotateAfter: Command = (args, surroundings) =>
  asPerson(args, surroundings, async (send, out, { positionals: [days] }) => {
    const rotateAfterDays = wholeNumber(days, 'the days: wax keys rotate-after DAYS');
    await send('PATCH', '/v1/keys', { rotateAfterDays });
    out(`Keys are replaced after ${rotateAfterDays} days.`);
  });

/** Puts the keys under one that the organisation keeps. */
export const attachKey: Command = (args, surroundings) =>
  asPerson(args, surroundings, async (send, out, { positionals: [arn], values }) => {
    if (arn === undefined) throw new UsageError('Say which key: wax keys attach ARN');
    await send('PUT', '/v1/keys/customer-key', { arn, ...(values.hold && { mode: 'hold' }) });
    out('The key is attached; wax keys list says how far the rotation to it is.');
  });

export const detachKey: Command = (args, surroundings) =>
  asPerson(args, surroundings, async (send, out) => {
    await send('DELETE', '/v1/keys/customer-key');
    out('The key is being detached; it is needed until wax keys list says "platform".');
  });

export const deleteKeys: Command = (args, surroundings) =>
  asPerson(args, surroundings, async (send, out, { values }) => {
    const waitDays = wholeNumber(values['wait-days'], 'in how many days: --wait-days N');
    const answer = await send('POST', '/v1/keys/deletion', { waitDays, confirm: values.confirm });
    const { destroyAfter } = (await answer.json()) as { destroyAfter: string };
    out(`The keys are destroyed after ${destroyAfter}, unless wax keys cancel-deletion is called before.`);
  });

export const cancelDeletion: Command = (args, surroundings) =>
  asPerson(args, surroundings, async (send, out) => {
    await send('DELETE', '/v1/keys/deletion');
    out('The keys stay.');
  });

function wholeNumber(text: string | undefined, what: string): number {
  if (text === undefined || !/^\d{1,4}$/.test(text)) throw new UsageError(`Say ${what}`);
  return Number(text);
}

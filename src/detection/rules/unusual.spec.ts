import { describe, expect, it } from 'vitest';
import { DAY, event, found, HOUR, START, times } from '../../../test/support/observed-events.js';
import { AUDIT_ACTIONS } from '../../platform/events/index.js';
import { Memory } from '../memory.js';
import { networkOf } from '../network.js';
import type { ObservedEvent } from '../observed-event.js';

describe('what is unusual for an actor', () => {
  const usual = (days: number): ObservedEvent[] =>
    times(days * 24 * 20, (at) => event(START + at * 180, at % 2 ? 'agent.read' : 'agent.listed'));
  it('is many times the calls of its other hours', () => {
    const end = START + 4 * DAY;
    expect(found(usual(4))).toEqual([]);
    expect(found([...usual(4), ...times(199, (at) => event(end + at, 'agent.read'))])).toEqual([]);
    expect(found([...usual(4), ...times(250, (at) => event(end + at, 'agent.read'))])).toEqual([
      'unusual.rate ann',
    ]);
  });
  it('is nothing for an actor that is always busy', () => {
    const busy = times(30 * 600, (at) => event(START + at * 6, 'agent.updated'));
    expect(
      found([...busy, ...times(600, (at) => event(START + 30 * HOUR + at * 6, 'agent.updated'))]),
    ).toEqual([]);
  });
  it('is what a well-known actor has never done, three kinds of it', () => {
    const end = START + 4 * DAY;
    const news = ['run.read', 'run.listed', 'user.listed'].map((action, at) => event(end + at, action));
    expect(found([...usual(4), ...news.slice(0, 2)])).toEqual([]);
    expect(found([...usual(4), ...news])).toContain('unusual.actions ann');
  });
  it('is not what a new actor does', () => {
    // To read a saved export is an export, by whomever.
    const reads = AUDIT_ACTIONS.filter((name) => name.endsWith('read') && name !== 'audit_export.read');
    expect(found(reads.map((name) => event(START, name)))).toEqual([]);
  });
});

describe('what is unusual for an organisation', () => {
  /** So many people that of none of them anything is remembered for long. */
  const PEOPLE = 1_000;
  const by = (at: number, person: number, action = 'agent.read'): ObservedEvent =>
    event(at, action, { actor: { type: 'user', id: `person${person}` } });
  const usual = (days: number): ObservedEvent[] =>
    times(days * 24 * 100, (at) => by(START + at * 36, at % PEOPLE));
  const end = START + 4 * DAY;

  it('is many times its calls, where nobody makes many', () => {
    const calls = (count: number) => times(count, (at) => by(end + at, at % PEOPLE));
    expect(found(usual(4))).toEqual([]);
    expect(found([...usual(4), ...calls(999)])).toEqual([]);
    expect(found([...usual(4), ...calls(1_500)])).toEqual(['unusual.organisation_rate all']);
  });

  it('is what nobody has ever done, three kinds of it, each by another', () => {
    const kinds = ['run.read', 'run.listed', 'user.listed'].map((action, at) => by(end + at, at, action));
    expect(found([...usual(4), ...kinds.slice(0, 2)])).toEqual([]);
    expect(found([...usual(4), ...kinds])).toEqual(['unusual.organisation_actions all']);
    expect(found([...usual(2), ...kinds.map((one) => ({ ...one, at: one.at - 2 * DAY }))])).toEqual([]);
  });

  it('is signing in from five networks that nobody has signed in from, and not from those that are known', () => {
    const signIn = (at: number, network: string, outcome: 'success' | 'denied' = 'success') =>
      event(at, 'session.created', { outcome, actor: { type: 'anonymous', id: 'anonymous' } }, { network });
    const known = times(100, (at) => signIn(START + at * HOUR, `office${at % 10}`));
    const news = (prefix: string) => times(5, (at) => signIn(end + at, `${prefix}${at}`));
    const log = [...usual(4), ...known].toSorted((a, b) => a.at - b.at);
    expect(found([...log, ...news('office')])).toEqual([]);
    expect(found([...log, ...news('abroad').slice(0, 4)])).toEqual([]);
    expect(found([...log, ...news('abroad')])).toEqual(['unusual.organisation_networks all']);
    // Whoever is refused makes no network known.
    const refused = times(3, (at) => signIn(end - 100 + at, `abroad${at}`, 'denied'));
    expect(found([...log, ...refused, ...news('abroad')])).toEqual(['unusual.organisation_networks all']);
  });

  it('is remembered within bounds: kinds of calls, and networks', () => {
    const memory = new Memory();
    for (let at = 0; at < 10_000; at += 1) {
      memory.observeOrganisation(`action${at}`, START + at);
      memory.isNewNetwork(`network${at}`, START + at);
    }
    const { organisation, networks } = memory.stored();
    expect(organisation[0]?.actions.length).toBeLessThanOrEqual(1_000);
    expect(networks.length).toBeLessThanOrEqual(2_000);
    expect(memory.isNewNetwork('another', START + 20_000)).toBe(false);
    expect(memory.isNewNetwork('another', START + 32 * DAY)).toBe(true);
  });
});

describe('the network of an address', () => {
  it.each([
    ['192.0.2.17', '192.0.2'],
    ['::ffff:192.0.2.18', '192.0.2'],
    ['2001:db8:1:2::3', '2001:db8:1'],
    ['2001:0DB8:0001::', '2001:db8:1'],
    ['2001:db8::1', '2001:db8:0'],
    ['::1', '0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0'],
    ['no address', 'no address'],
  ])('of %s is %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});

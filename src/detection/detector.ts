import type { Finding } from '../alerts/index.js';
import { Memory } from './memory.js';
import type { Match, ObservedEvent } from './observed-event.js';
import { defaultsOf, type DetectionSettings, type RuleName, type RuleSettings } from './rule-catalogue.js';
import { bulkReads, bulkRows, exports } from './rules/exfiltration.js';
import { brokenGlass, failedLogins } from './rules/failed-logins.js';
import { brokenChain, expiringCertificate, failingDelivery, laggingDelivery } from './rules/installation.js';
import { grantedPower } from './rules/granted-power.js';
import { deniedAdministration, exceededGrant } from './rules/privileges.js';
import { massRemoval } from './rules/provisioning.js';
import {
  unusualActions,
  unusualActionsOfAll,
  unusualNetworks,
  unusualRate,
  unusualRateOfAll,
} from './rules/unusual.js';

type Rule = (event: ObservedEvent, memory: Memory, settings: RuleSettings) => Match | undefined;

/** Rules that need nothing but the event and what was counted. Those of what is usual for an actor are below. */
const COUNTING: Readonly<Partial<Record<RuleName, Rule>>> = {
  'failed_logins.account': failedLogins('account'),
  'failed_logins.address': failedLogins('address'),
  'failed_logins.organisation': failedLogins('organisation'),
  'sign_in.break_glass': brokenGlass,
  'privileges.denied': deniedAdministration,
  'privileges.exceeded': exceededGrant,
  'privileges.granted': grantedPower,
  'provisioning.mass_removal': massRemoval,
  'exfiltration.reads': bulkReads,
  'exfiltration.rows': bulkRows,
  'exfiltration.exports': exports,
  'delivery.failing': failingDelivery,
  'delivery.lag': laggingDelivery,
  'certificate.expiry': expiringCertificate,
  'audit.chain': brokenChain,
};

/** Actors that somebody stands behind: the system's own work has no habits. */
const WITH_HABITS = new Set(['user', 'api_key', 'client', 'operator']);

/**
 * Applies the rules to a log, event by event. What it remembers between them is all its state; two that were shown the same
 * events have found the same.
 */
export class Detector {
  constructor(
    readonly memory: Memory,
    private readonly settings: DetectionSettings,
  ) {}

  observe(event: ObservedEvent): Finding[] {
    const matches: [RuleName, Match | undefined][] = Object.entries(COUNTING).map(([name, rule]) => {
      const settings = this.#settingsOf(name as RuleName);
      return [name as RuleName, settings.enabled ? rule(event, this.memory, settings) : undefined];
    });
    matches.push(...this.#habits(event), ...this.#networks(event));
    return matches.flatMap(([rule, match]) => (match ? this.#finding(rule, match, event) : []));
  }

  #habits(event: ObservedEvent): [RuleName, Match | undefined][] {
    const { actor, action } = event.body;
    if (!WITH_HABITS.has(actor.type)) return [];
    // Observed whatever is enabled: who turns a rule on later has a baseline.
    const { memory } = this;
    const seen = memory.observe(actor.id, action, event.at);
    const all = memory.observeOrganisation(action, event.at);
    return [
      this.#habit('unusual.rate', (settings) => unusualRate(event, seen, settings)),
      this.#habit('unusual.actions', (settings) => unusualActions(event, seen, memory, settings)),
      this.#habit('unusual.organisation_rate', (settings) => unusualRateOfAll(event, all, settings)),
      this.#habit('unusual.organisation_actions', (settings) =>
        unusualActionsOfAll(event, all, memory, settings),
      ),
    ];
  }

  #networks(event: ObservedEvent): [RuleName, Match | undefined][] {
    const { network, at, body } = event;
    const signedIn = body.action === 'session.created' && body.outcome === 'success';
    if (network === undefined || !signedIn || !this.memory.isNewNetwork(network, at)) return [];
    return [
      this.#habit('unusual.organisation_networks', (settings) =>
        unusualNetworks(event, this.memory, settings),
      ),
    ];
  }

  #habit(rule: RuleName, look: (settings: RuleSettings) => Match | undefined): [RuleName, Match | undefined] {
    const settings = this.#settingsOf(rule);
    return [rule, settings.enabled ? look(settings) : undefined];
  }

  #finding(rule: RuleName, match: Match, { at, seq }: ObservedEvent): Finding[] {
    const { severity, windowSeconds } = this.#settingsOf(rule);
    if (!this.memory.isNew(`${rule} ${match.key}`, at, windowSeconds)) return [];
    return [{ rule, severity, seq, ...match }];
  }

  #settingsOf(rule: RuleName): RuleSettings {
    return this.settings.get(rule) ?? defaultsOf(rule);
  }
}

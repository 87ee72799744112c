import type { RuleSettings } from '../rule-catalogue.js';
import type { Memory } from '../memory.js';
import type { Match, ObservedEvent } from '../observed-event.js';

type By = 'account' | 'address' | 'organisation';

const OF_WHOM: Readonly<Record<By, string>> = {
  account: 'for one e-mail address',
  address: 'from one network address',
  organisation: 'in the organisation',
};

/** Sign-ins that failed, counted by whom they were for, from where they came, and all together. */
export function failedLogins(by: By) {
  return (event: ObservedEvent, memory: Memory, settings: RuleSettings): Match | undefined => {
    const { action, outcome } = event.body;
    if (action !== 'session.created' || outcome !== 'denied') return undefined;
    const key = by === 'organisation' ? 'all' : event[by];
    if (key === undefined) return undefined;
    const { threshold, windowSeconds } = settings;
    const failed = memory.count(`failed_logins.${by} ${key}`, event.at, windowSeconds);
    if (failed < threshold) return undefined;
    const { email, ip } = event.subject;
    const subject = { account: { email }, address: { ip }, organisation: {} }[by];
    return {
      key,
      title: `${threshold} sign-ins have failed ${OF_WHOM[by]}`,
      details: { failed, windowSeconds },
      subject: defined(subject),
      ...(event.person !== undefined && { person: event.person }),
    };
  };
}

/** An owner has used the password that is there for when the identity provider is away. */
export function brokenGlass({ body }: ObservedEvent): Match | undefined {
  const { action, outcome, changes } = body;
  if (action !== 'session.created' || outcome !== 'success' || changes?.['method'] !== 'break_glass')
    return undefined;
  const user = String(changes['user']);
  return {
    key: user,
    title: 'A break-glass owner has signed in with a password',
    details: { user, session: body.resource?.id },
  };
}

function defined(subject: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(subject).flatMap(([name, value]) => (value ? [[name, value]] : [])),
  );
}

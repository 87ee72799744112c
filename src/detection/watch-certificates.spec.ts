import { describe, expect, it } from 'vitest';
import type { AuditEvent, EventRecorder } from '../audit/index.js';
import type { Log } from '../platform/observability/log.js';
import type { CertificateExpiry, ExpiringCertificate } from '../platform/tls/index.js';
import { WatchCertificates } from './watch-certificates.js';

const DAY = 86_400_000;
const NOW = Date.parse('2026-11-22T00:00:00Z');

function watching(certificate: () => Partial<ExpiringCertificate>) {
  const events: { tenant: unknown; event: AuditEvent }[] = [];
  const list = (): ExpiringCertificate[] => [
    { name: 'server', expiresAt: new Date(NOW), secondsLeft: 1, level: 'fine', ...certificate() },
  ];
  const recorder = {
    record: (tenant: unknown, event: AuditEvent) => {
      events.push({ tenant, event });
      return Promise.resolve();
    },
  };
  const watch = new WatchCertificates(
    { list } as unknown as CertificateExpiry,
    recorder as unknown as EventRecorder,
    {} as Log,
  );
  return { events, watch };
}

describe('a certificate', () => {
  it('that is good for long is no event', async () => {
    const { events, watch } = watching(() => ({ level: 'fine' }));
    await watch.look(NOW);
    expect(events).toEqual([]);
  });

  it('that expires is an event of the installation, once a day', async () => {
    const { events, watch } = watching(() => ({ level: 'soon' }));
    for (const at of [0, DAY / 2, DAY - 1, DAY]) await watch.look(NOW + at);
    expect(events).toHaveLength(2);
    expect(events[0]).toMatchObject({
      tenant: undefined,
      event: { action: 'certificate.expiring', resource: { id: 'server' }, changes: { expired: false } },
    });
  });

  it('is told of at once when it gets worse', async () => {
    let state: Partial<ExpiringCertificate> = { level: 'soon' };
    const { events, watch } = watching(() => state);
    await watch.look(NOW);
    state = { level: 'urgent' };
    await watch.look(NOW + 1_000);
    state = { level: 'urgent', secondsLeft: -1 };
    await watch.look(NOW + 2_000);
    await watch.look(NOW + 3_000);
    expect(events.map(({ event }) => event.changes?.['expired'])).toEqual([false, false, true]);
  });
});

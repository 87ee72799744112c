import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchesOf } from '../batches.js';
import type { OcsfEvent } from '../ocsf.js';
import { Datadog } from './datadog.js';
import { commonVerdict, type HttpReceiver } from './receiver.js';
import { SplunkHec } from './splunk-hec.js';
import { newWebhookSecret } from '../../platform/egress/index.js';
import { Webhook } from './webhook.js';

const answer = (status: number, text = '', retryAfter?: string) => ({ status, text, retryAfter });
const splunk = new SplunkHec({ url: 'https://splunk.example:8088' }, 'token');
const datadog = new Datadog({ url: 'https://intake.example/api/v2/logs', tags: ['env:prod'] }, 'key');
const event = (seq: number, message: string): OcsfEvent => ({
  class_uid: 6003,
  category_uid: 6,
  activity_id: 2,
  type_uid: 600_302,
  severity_id: 1,
  status_id: 1,
  time: 1_700_000_000_123,
  metadata: { uid: `id-${seq}`, sequence: seq },
  message,
});

describe('batches', () => {
  it('keep every event, in order, within the limits of the receiver', () => {
    const limits = fc.record({
      events: fc.integer({ min: 1, max: 10 }),
      bytes: fc.integer({ min: 40, max: 400 }),
      eventBytes: fc.integer({ min: 1, max: 300 }),
    });
    const sizes = fc.array(fc.integer({ min: 0, max: 350 }), { maxLength: 40 });
    fc.assert(
      fc.property(sizes, limits, (lengths, limit) => {
        const events = lengths.map((length, seq) => ({ seq, bytes: Buffer.alloc(length) }));
        const { batches, tooLarge } = batchesOf(events, limit);
        const seqs = batches.flat().map(({ seq }) => seq);
        expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
        expect([...seqs, ...tooLarge.map(({ seq }) => seq)].sort((a, b) => a - b)).toEqual(
          events.map(({ seq }) => seq),
        );
        for (const batch of batches) {
          expect(batch.length).toBeGreaterThan(0);
          expect(batch.length).toBeLessThanOrEqual(limit.events);
          const json = batch.reduce((sum, { bytes }) => sum + bytes.length + 1, 1);
          expect(json).toBeLessThanOrEqual(limit.bytes);
        }
      }),
    );
  });
});

describe('what an answer means', () => {
  it.each([
    [200, 'accepted'],
    [202, 'accepted'],
    [413, 'refused_batch'],
    [408, 'later'],
    [429, 'later'],
    [500, 'later'],
    [503, 'later'],
    [401, 'later'],
    [403, 'later'],
    [404, 'later'],
  ])('%i is %s, at every receiver', (status, kind) => {
    const webhook = new Webhook({ url: 'https://a.example' }, 'd', [newWebhookSecret()]);
    for (const receiver of [splunk, datadog, webhook] satisfies HttpReceiver[])
      expect(receiver.judge(answer(status)).kind).toBe(kind);
  });

  it('waits as long as Retry-After says, in seconds or until a date, at most an hour', () => {
    expect(commonVerdict(answer(429, '', '17'))).toMatchObject({ error: 'RATE_LIMITED', afterSeconds: 17 });
    const date = new Date(Date.now() + 60_000).toUTCString();
    const verdict = commonVerdict(answer(503, '', date)) as { afterSeconds: number };
    expect(verdict.afterSeconds).toBeGreaterThan(50);
    expect(verdict.afterSeconds).toBeLessThanOrEqual(60);
    expect(commonVerdict(answer(503, '', '999999999'))).toMatchObject({ afterSeconds: 3_600 });
    expect(commonVerdict(answer(503, '', 'soon'))).toEqual({ kind: 'later', error: 'HTTP_503' });
  });

  it('of Splunk names the event that it does not take, by its place in the batch', () => {
    const invalid = JSON.stringify({ text: 'Invalid data format', code: 6, 'invalid-event-number': 3 });
    expect(splunk.judge(answer(400, invalid))).toEqual({ kind: 'refused_event', index: 3, error: 'HEC_6' });
    expect(splunk.judge(answer(400, '{"text":"Incorrect index","code":7}')).kind).toBe('later');
    expect(splunk.judge(answer(400, '{"text":"Invalid data format","code":6}')).kind).toBe('refused_batch');
    expect(splunk.judge(answer(400, 'not json')).kind).toBe('refused_batch');
  });
});

describe('a webhook', () => {
  it('is signed by every secret that holds, over id, time and body, as Standard Webhooks says', () => {
    const [current, previous] = [newWebhookSecret(), newWebhookSecret()];
    const webhook = new Webhook({ url: 'https://a.example/hook' }, 'dest', [current, previous]);
    const batch = [7, 8].map((seq) => ({ seq, bytes: webhook.encode(event(seq, 'ü')) }));
    const now = new Date('2026-11-22T00:00:00.900Z');
    const { headers, body } = webhook.request(batch, now);
    expect(headers['webhook-id']).toBe('dest:7-8');
    expect(headers['webhook-timestamp']).toBe(String(Date.parse('2026-11-22T00:00:00Z') / 1_000));
    const expected = [current, previous].map((secret) => {
      const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
      const text = `dest:7-8.${headers['webhook-timestamp'] ?? ''}.${body.toString('utf8')}`;
      return `v1,${createHmac('sha256', key).update(text).digest('base64')}`;
    });
    expect(headers['webhook-signature']).toBe(expected.join(' '));
    expect(JSON.parse(body.toString('utf8'))).toEqual({ events: [event(7, 'ü'), event(8, 'ü')] });
    // Sent again, it is the same message: the id is the batch's, not the request's.
    expect(webhook.request(batch, new Date()).headers['webhook-id']).toBe('dest:7-8');
  });
});

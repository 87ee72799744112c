import { EventEmitter } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { StandingConnection } from './standing-connection.js';

class FakeClient extends EventEmitter {
  ended = false;
  constructor(readonly opens: Promise<void> = Promise.resolve()) {
    super();
  }
  connect(): Promise<void> {
    return this.opens;
  }
  end(): Promise<void> {
    this.ended = true;
    return Promise.resolve();
  }
}

function standing(clients: FakeClient[]) {
  const errors: Error[] = [];
  const waiting = [...clients];
  const connection = new StandingConnection(
    () => waiting.shift() ?? new FakeClient(),
    (error) => errors.push(error),
  );
  return { connection, errors };
}

describe('a standing connection that is replaced', () => {
  it('serves with the present client until the successor is open, and only then ends it', async () => {
    const opening = Promise.withResolvers<void>();
    const [worn, successor] = [new FakeClient(), new FakeClient(opening.promise)];
    const { connection } = standing([worn, successor]);
    await connection.get();
    connection.replace();
    expect(connection.get()).toBe(worn);
    expect(worn.ended).toBe(false);
    opening.resolve();
    await vi.waitFor(() => expect(connection.get()).toBe(successor));
    expect(worn.ended).toBe(true);
  });

  it('keeps the present client where no successor can be opened, says so, and waits before it tries again', async () => {
    const refused = Promise.reject(new Error('too many connections'));
    refused.catch(() => undefined);
    const [worn, unable, third] = [new FakeClient(), new FakeClient(refused), new FakeClient()];
    const { connection, errors } = standing([worn, unable, third]);
    await connection.get();
    connection.replace();
    await vi.waitFor(() => expect(errors).toHaveLength(1));
    connection.replace();
    await Promise.resolve();
    expect(connection.get()).toBe(worn);
    expect(worn.ended).toBe(false);
  });

  it('opens one successor, however often it is asked to', async () => {
    const opening = Promise.withResolvers<void>();
    const [worn, successor, third] = [new FakeClient(), new FakeClient(opening.promise), new FakeClient()];
    const { connection } = standing([worn, successor, third]);
    await connection.get();
    for (let again = 0; again < 5; again += 1) connection.replace();
    opening.resolve();
    await vi.waitFor(() => expect(connection.get()).toBe(successor));
    expect(successor.ended).toBe(false);
  });
});

import { createHmac, randomBytes } from 'node:crypto';
import { startFakeServer, type FakeServer } from './http-server.js';

interface Message {
  readonly id: string;
  readonly to: string;
  readonly code: string;
}

/** What an operator names to send text messages: takes what is signed (Standard Webhooks), and keeps it. */
export class TextGateway {
  /** Taken, each with a signature that was looked at. */
  messages: Message[] = [];
  /** Ids of what it was posted, taken or not. */
  posted: string[] = [];
  /** Statuses of the next answers, where they are others than 202. */
  answers: number[] = [];
  readonly #key = randomBytes(32);
  #server: FakeServer | undefined;

  static async start(): Promise<TextGateway> {
    const gateway = new TextGateway();
    gateway.#server = await startFakeServer(({ headers }, body) => ({
      status: gateway.#take(String(headers['webhook-id']), headers, body),
    }));
    return gateway;
  }

  /** Variables of an application that sends by it. */
  get env(): Readonly<Record<string, string>> {
    return {
      TEXT_MESSAGES_URL: `${this.#server?.url}/send`,
      TEXT_MESSAGES_SECRET: `whsec_${this.#key.toString('base64')}`,
    };
  }

  get lastCode(): string {
    return this.messages.at(-1)?.code ?? '';
  }

  forget(): void {
    this.messages = [];
    this.posted = [];
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }

  #take(id: string, headers: Readonly<Record<string, unknown>>, body: Buffer): number {
    const time = String(headers['webhook-timestamp']);
    const signed = createHmac('sha256', this.#key).update(`${id}.${time}.`).update(body).digest('base64');
    const late = Math.abs(Date.now() / 1_000 - Number(time)) > 60;
    if (late || headers['webhook-signature'] !== `v1,${signed}`) return 401;
    this.posted.push(id);
    const status = this.answers.shift() ?? 202;
    const { to, text } = JSON.parse(body.toString()) as { to: string; text: string };
    if (status === 202) this.messages.push({ id, to, code: /^\d{6}\b/.exec(text)?.[0] ?? '' });
    return status;
  }
}

import { createTransport, type Transporter } from 'nodemailer';

const WITHIN_MS = 15_000;

export interface SmtpMailerOptions {
  /** `smtp://user:password@host:587`, or `smtps://` for TLS from the start; undefined: there is no server. */
  readonly url: string | undefined;
  readonly from: string;
}

/** Mail through an SMTP server. STARTTLS has to succeed, except to this machine itself. */
export class SmtpMailer {
  readonly available: boolean;
  private readonly transport: Transporter | undefined;
  private readonly from: string;

  constructor({ url, from }: SmtpMailerOptions) {
    this.available = url !== undefined;
    this.from = from;
    this.transport = url === undefined ? undefined : transportTo(new URL(url));
  }

  async send(mail: {
    readonly to: readonly string[];
    readonly subject: string;
    readonly text: string;
    readonly messageId: string;
  }): Promise<void> {
    if (!this.transport) throw new Error('No mail server is configured.');
    const { to, subject, text, messageId } = mail;
    await this.transport.sendMail({ from: this.from, to: [...to], subject, text, messageId });
  }

  close(): void {
    this.transport?.close();
  }
}

function transportTo(url: URL): Transporter {
  const secure = url.protocol === 'smtps:';
  const local = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  return createTransport({
    host: url.hostname,
    port: Number(url.port) || (secure ? 465 : 587),
    secure,
    requireTLS: !secure && !local,
    ignoreTLS: local,
    connectionTimeout: WITHIN_MS,
    greetingTimeout: WITHIN_MS,
    socketTimeout: WITHIN_MS,
    // Nothing of a mail is read from files or addresses.
    disableFileAccess: true,
    disableUrlAccess: true,
    ...(url.username !== '' && {
      auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) },
    }),
  });
}

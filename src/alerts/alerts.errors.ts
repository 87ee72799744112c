import { AppError } from '../platform/http/errors.js';

export class AlertResolved extends AppError {
  readonly kind = 'conflict';
  readonly code = 'ALERT_RESOLVED';
  constructor() {
    super('The alert is resolved already. If it happens again, there will be a new one.');
  }
}

export class TooManyChannels extends AppError {
  readonly kind = 'conflict';
  readonly code = 'TOO_MANY_CHANNELS';
  constructor(limit: number) {
    super(`An organisation has at most ${limit} alert channels. Delete one that you do not need.`);
  }
}

export class ChannelNotOffered extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'CHANNEL_NOT_OFFERED';
  constructor() {
    super('This installation sends no mail. Ask its operator to configure SMTP_URL, or choose another kind.');
  }
}

import { AppError } from '../platform/http/errors.js';

/** Of a kept request that cannot be run again, or not at this moment. */
export class ReplayRefused extends AppError {
  readonly kind = 'conflict';
  readonly code = 'REPLAY_REFUSED';
}

export class SearchesBusy extends AppError {
  readonly kind = 'rate_limited';
  readonly code = 'SEARCHES_BUSY';
  constructor(most: number) {
    super(
      `${most} searches of the organisation look at thousands of people one by one already. Repeat it once they are done, or ask by id, userName, externalId or an e-mail address.`,
    );
  }
}

export class ClientNamedAlready extends AppError {
  readonly kind = 'conflict';
  readonly code = 'CLIENT_NAMED_ALREADY';
  constructor() {
    super('Another directory names this client. A client speaks for one directory.');
  }
}

export class ClientBelowDirectory extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'CLIENT_BELOW_DIRECTORY';
  constructor(role: string, defaultRole: string) {
    super(
      `The client has the role ${role}, and the directory gives ${defaultRole} to whom it adds. Give the client that role, or the directory a lower one.`,
    );
  }
}

export class TooManyDirectories extends AppError {
  readonly kind = 'conflict';
  readonly code = 'TOO_MANY_DIRECTORIES';
  constructor(most: number) {
    super(`An organisation has ${most} directories at most. Delete those that nobody needs.`);
  }
}

export class TooManyTokens extends AppError {
  readonly kind = 'conflict';
  readonly code = 'TOO_MANY_TOKENS';
  constructor(most: number) {
    super(`A directory has ${most} tokens at most that work. Revoke one that is not used any more.`);
  }
}

/** People would be nobody's from one moment to the next. */
export class DirectoryActive extends AppError {
  readonly kind = 'conflict';
  readonly code = 'DIRECTORY_ACTIVE';
  constructor() {
    super(
      'Disable the directory before it is deleted: people and groups that it provides stay, and are looked after by hand.',
    );
  }
}

import { AppError } from '../platform/http/errors.js';

export class RoleNameTaken extends AppError {
  readonly kind = 'conflict';
  readonly code = 'ROLE_NAME_TAKEN';
  constructor() {
    super('There is a role of this name already. Choose another name, or change that role.');
  }
}

export class RoleInUse extends AppError {
  readonly kind = 'conflict';
  readonly code = 'ROLE_IN_USE';
  constructor() {
    super('Somebody holds this role. Revoke its grants first: GET /v1/grants?roleId={id} lists them.');
  }
}

export class TooManyRoles extends AppError {
  readonly kind = 'conflict';
  readonly code = 'TOO_MANY_ROLES';
  constructor(limit: number) {
    super(`An organisation has at most ${limit} roles of its own. Delete one that nobody holds.`);
  }
}

export class TooManyGrants extends AppError {
  readonly kind = 'conflict';
  readonly code = 'TOO_MANY_GRANTS';
  constructor(limit: number) {
    super(
      `Nobody holds more than ${limit} grants. Grant a role further up instead, and revoke what it includes.`,
    );
  }
}

export class GrantExists extends AppError {
  readonly kind = 'conflict';
  readonly code = 'GRANT_EXISTS';
  constructor() {
    super('They hold this role here already.');
  }
}

/** What somebody grants themselves would outlive what they were given by others. */
export class GrantToSelf extends AppError {
  readonly kind = 'forbidden';
  readonly code = 'GRANT_TO_SELF';
  constructor() {
    super('Nobody grants a role to themselves. Ask another administrator.');
  }
}

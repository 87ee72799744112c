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

/** A policy looks at whether they are in it: what it forbids would be lifted by whom it binds. */
export class LeavesPolicy extends AppError {
  readonly kind = 'forbidden';
  readonly code = 'LEAVES_POLICY';
  constructor(policy: string) {
    super(
      `The policy ${policy} is about this group: nobody takes themselves out of it. Ask another administrator.`,
    );
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

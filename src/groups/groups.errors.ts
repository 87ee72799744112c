import { AppError } from '../platform/http/errors.js';

export class GroupNameTaken extends AppError {
  readonly kind = 'conflict';
  readonly code = 'GROUP_NAME_TAKEN';
  override readonly scimType = 'uniqueness';
  constructor() {
    super('Another group has this name or external id already. Choose another, or use that group.');
  }
}

/** Whatever were changed by hand, the directory would change back, or never know of. */
export class GroupProvided extends AppError {
  readonly kind = 'conflict';
  readonly code = 'GROUP_PROVIDED';
  constructor() {
    super('A directory provides this group: change it at the identity provider.');
  }
}

/** A group cannot be in itself, by whatever way. */
export class GroupCycle extends AppError {
  readonly kind = 'conflict';
  readonly code = 'GROUP_CYCLE';
  constructor() {
    super('The group would be in itself, through the groups in it. Take it out of one of them first.');
  }
}

export class GroupsNestedTooDeep extends AppError {
  readonly kind = 'conflict';
  readonly code = 'GROUPS_NESTED_TOO_DEEP';
  constructor(levels: number) {
    super(
      `Groups are in one another on ${levels} levels at most. Add the people or the inner groups directly.`,
    );
  }
}

export class TooManyGroups extends AppError {
  readonly kind = 'conflict';
  readonly code = 'TOO_MANY_GROUPS';
  constructor(most: number) {
    super(`An organisation has ${most} groups at most. Delete those that nobody needs.`);
  }
}

export class TooManyMembers extends AppError {
  readonly kind = 'conflict';
  readonly code = 'TOO_MANY_MEMBERS';
  constructor(most: number) {
    super(`A group has ${most} members of a kind at most. Make several groups, and put them into one.`);
  }
}

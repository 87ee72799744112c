export type { GroupRow } from './group-row.js';
export { GroupCycle, GroupNameTaken, GroupsNestedTooDeep } from './groups.errors.js';
export { Groups, type NewGroup } from './groups.js';
export { GroupsModule } from './groups.module.js';
export { membersInEvent } from './manage-groups.js';
export { Members, type MembersChanged } from './members.js';
export { Subgroups } from './subgroups.js';

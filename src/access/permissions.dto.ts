import { ApiProperty } from '@nestjs/swagger';
import { DEFAULT_ROLES } from './permissions.js';

export class PermissionDto {
  name!: string;
  /** The least of the default roles that has it. */
  @ApiProperty({ enum: DEFAULT_ROLES })
  role!: string;
  /** What an API key needs besides. */
  scope!: string;
  /** Where it can be granted: on parts of the organisation too, or on all of it alone. */
  @ApiProperty({ enum: ['organisation', 'project', 'agent'], isArray: true })
  on!: string[];
}

export class DefaultRoleDto {
  @ApiProperty({ enum: DEFAULT_ROLES })
  name!: string;
  permissions!: string[];
}

export class PermissionsDto {
  permissions!: PermissionDto[];
  /** From the least to the most; each includes those before it. */
  roles!: DefaultRoleDto[];
}

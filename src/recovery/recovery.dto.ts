import { IsEmail, IsString, Length, MaxLength } from 'class-validator';

export class ChangePasswordDto {
  @IsString()
  @Length(1, 256)
  currentPassword!: string;

  /** 12 to 256 characters of three kinds; nothing of the person, nothing common, nothing that was leaked. */
  @IsString()
  @Length(12, 256)
  newPassword!: string;
}

export class AskResetDto {
  /** Address of the account, in the organisation that X-Tenant-Slug names. */
  @IsEmail()
  @MaxLength(254)
  email!: string;
}

export class ConfirmResetDto {
  /** As it stands in the link, behind `#token=`. */
  @IsString()
  @Length(1, 200)
  token!: string;

  /** As for a change of password. */
  @IsString()
  @Length(12, 256)
  password!: string;
}

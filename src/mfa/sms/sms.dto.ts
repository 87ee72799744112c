import { ApiProperty } from '@nestjs/swagger';
import { IsString, Matches, MaxLength } from 'class-validator';
import { OptionallyNamedDto } from '../mfa.dto.js';

export class BeginSmsDto extends OptionallyNamedDto {
  /** E.164. */
  @IsString()
  @Matches(/^\+[1-9]\d{6,14}$/, { message: 'number must be in the form of E.164, such as +442079460000' })
  @ApiProperty({ example: '+442079460000' })
  number!: string;
}

export class BegunSmsDto {
  /** To be sent back with the code: works once, in this session. */
  challenge!: string;
  /** Seconds until it does not work any more. */
  expiresIn!: number;
}

export class ConfirmSmsDto {
  @IsString()
  @MaxLength(100)
  challenge!: string;

  /** Of the text message. */
  @Matches(/^\d{6}$/, { message: 'code must be six digits' })
  @ApiProperty({ example: '287082' })
  code!: string;
}

export class SentCodeDto {
  /** Seconds for which the code works. */
  expiresIn!: number;
}

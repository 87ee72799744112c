import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { UnlockAddressDto } from './sign-in-settings.dto.js';
import { UnlockAddress } from './unlock-address.js';

@Controller('v1/auth/addresses')
export class UnlockAddressController {
  constructor(private readonly unlocking: UnlockAddress) {}

  @Post('unlock')
  @HttpCode(204)
  @Endpoint({
    permission: 'user:update',
    audit: 'account.unlocked',
    status: 204,
    summary: 'Lets an address try again from which too many sign-ins to your organisation have failed.',
  })
  unlock(@Body() { address }: UnlockAddressDto): Promise<void> {
    return this.unlocking.execute(address);
  }
}

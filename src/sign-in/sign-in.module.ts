import { Module } from '@nestjs/common';
import { SignInAttempts } from './sign-in-attempts.js';
import { SignInSettings } from './sign-in-settings.js';
import { UnlockAddressController } from './unlock-address.controller.js';
import { UnlockAddress } from './unlock-address.js';
import { SignInSettingsController } from './sign-in-settings.controller.js';

@Module({
  controllers: [SignInSettingsController, UnlockAddressController],
  providers: [SignInAttempts, SignInSettings, UnlockAddress],
  exports: [SignInAttempts],
})
export class SignInModule {}

import { Module } from '@nestjs/common';
import { SignInAttempts } from './sign-in-attempts.js';
import { SignInSettings } from './sign-in-settings.js';
import { SignInSettingsController } from './sign-in-settings.controller.js';

@Module({
  controllers: [SignInSettingsController],
  providers: [SignInAttempts, SignInSettings],
  exports: [SignInAttempts],
})
export class SignInModule {}

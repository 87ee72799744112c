import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/index.js';
import { PasswordsModule } from '../passwords/index.js';
import { SignInModule } from '../sign-in/index.js';
import { AskReset } from './ask-reset.js';
import { ChangePassword } from './change-password.js';
import { ConfirmReset } from './confirm-reset.js';
import { MakeResetLink } from './make-reset-link.js';
import { RecoveryController } from './recovery.controller.js';
import { ReplacePassword } from './replace-password.js';
import { SendResets } from './send-resets.js';

@Module({
  imports: [AuthModule, PasswordsModule, SignInModule],
  controllers: [RecoveryController],
  providers: [AskReset, ChangePassword, ConfirmReset, MakeResetLink, ReplacePassword, SendResets],
})
export class RecoveryModule {}

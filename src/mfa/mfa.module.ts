import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/index.js';
import { DomainsModule } from '../domains/index.js';
import { SignInModule } from '../sign-in/index.js';
import { AdmitPerson } from './admit-person.js';
import { AfterSecondFactor } from './after-second-factor.js';
import { AskSecondFactor } from './ask-second-factor.js';
import { Challenges } from './challenges.js';
import { CheckRefresh } from './check-refresh.js';
import { CompleteSignIn } from './complete-sign-in.js';
import { DescribeChallenge } from './describe-challenge.js';
import { Enrolment } from './enrolment.js';
import { Factors } from './factors.js';
import { Notices } from './notices.js';
import { OwnFactorsController } from './own-factors.controller.js';
import { OwnFactors } from './own-factors.js';
import { PersonFactorsController } from './person-factors.controller.js';
import { PersonFactors } from './person-factors.js';
import { ProveFactor } from './prove-factor.js';
import { RecoveryCodes } from './recovery-codes.js';
import { SignInController } from './sign-in.controller.js';
import { SignInWithPassword } from './sign-in-with-password.js';
import { StepUpController } from './step-up.controller.js';
import { StepUpWithFactor } from './step-up-with-factor.js';
import { EnrolSms } from './sms/enrol-sms.js';
import { SendCode } from './sms/send-code.js';
import { SmsController } from './sms/sms.controller.js';
import { TextCodes } from './sms/text-codes.js';
import { TextMessages } from './sms/text-messages.js';
import { EnrolTotp } from './totp/enrol-totp.js';
import { TrustedDevices } from './trusted-devices.js';
import { EnrolWebauthn } from './webauthn/enrol-webauthn.js';
import { RelyingParty } from './webauthn/relying-party.js';
import { SignInWithPasskey } from './webauthn/sign-in-with-passkey.js';
import { WebauthnController } from './webauthn/webauthn.controller.js';

@Module({
  imports: [AuthModule, DomainsModule, SignInModule],
  controllers: [
    SignInController,
    StepUpController,
    WebauthnController,
    SmsController,
    OwnFactorsController,
    PersonFactorsController,
  ],
  providers: [
    AdmitPerson,
    AfterSecondFactor,
    AskSecondFactor,
    Challenges,
    CheckRefresh,
    CompleteSignIn,
    DescribeChallenge,
    EnrolSms,
    EnrolTotp,
    EnrolWebauthn,
    Enrolment,
    Factors,
    Notices,
    OwnFactors,
    PersonFactors,
    ProveFactor,
    RecoveryCodes,
    RelyingParty,
    SendCode,
    SignInWithPasskey,
    SignInWithPassword,
    StepUpWithFactor,
    TextCodes,
    TextMessages,
    TrustedDevices,
  ],
  exports: [AdmitPerson, AfterSecondFactor, Challenges],
})
export class MfaModule {}

import { Module } from '@nestjs/common';
import { ImpersonationSettings } from './impersonation-settings.js';
import { ImpersonationsController } from './impersonations.controller.js';
import { Impersonations } from './impersonations.js';

@Module({
  controllers: [ImpersonationsController],
  providers: [Impersonations, ImpersonationSettings],
})
export class ImpersonationModule {}

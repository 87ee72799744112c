import { Module } from '@nestjs/common';
import { AlertsModule } from '../alerts/index.js';
import { Detect } from './detect.js';
import { DetectionRules } from './detection-rules.js';
import { DetectionRulesController } from './detection-rules.controller.js';
import { DetectionStates } from './detection-state.js';
import { FollowLogs } from './follow-logs.js';
import { RecheckLogs } from './recheck-logs.js';
import { WatchCertificates } from './watch-certificates.js';

@Module({
  imports: [AlertsModule],
  controllers: [DetectionRulesController],
  providers: [Detect, DetectionRules, DetectionStates, FollowLogs, RecheckLogs, WatchCertificates],
})
export class DetectionModule {}

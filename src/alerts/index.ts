export { AlertEntity } from './alert.entity.js';
export { AlertsModule } from './alerts.module.js';
export { ChannelEntity } from './channel.entity.js';
export { RaiseAlerts, type Finding, type Raised } from './raise-alerts.js';
export { SEVERITIES, type AlertSeverity } from './severity.js';

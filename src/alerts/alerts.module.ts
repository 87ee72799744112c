import { Module } from '@nestjs/common';
import { Alerts } from './alerts.js';
import { AlertsController } from './alerts.controller.js';
import { AttendAlerts } from './attend-alerts.js';
import { Channels } from './channels.js';
import { ChannelsController } from './channels.controller.js';
import { DeliverNotifications } from './deliver-notifications.js';
import { EscalateAlerts } from './escalate-alerts.js';
import { InstallationAlertsController } from './installation.controller.js';
import { Notifications } from './notifications.js';
import { RaiseAlerts } from './raise-alerts.js';
import { SendNotification } from './send-notification.js';

@Module({
  controllers: [AlertsController, ChannelsController, InstallationAlertsController],
  providers: [
    Alerts,
    AttendAlerts,
    Channels,
    DeliverNotifications,
    EscalateAlerts,
    Notifications,
    RaiseAlerts,
    SendNotification,
  ],
  exports: [RaiseAlerts],
})
export class AlertsModule {}

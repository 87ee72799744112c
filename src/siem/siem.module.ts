import { Module } from '@nestjs/common';
import { Deliver } from './deliver.js';
import { Deliveries } from './deliveries.js';
import { Destinations } from './destinations.js';
import { DestinationsController } from './destinations.controller.js';
import { Exporter } from './exporter.js';
import { RedeliverDeadLetters } from './redeliver-dead-letters.js';
import { TestDestination } from './test-destination.js';
import { WatchLag } from './watch-lag.js';

@Module({
  controllers: [DestinationsController],
  providers: [Deliver, Deliveries, Destinations, Exporter, RedeliverDeadLetters, TestDestination, WatchLag],
})
export class SiemModule {}

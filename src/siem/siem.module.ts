import { Module } from '@nestjs/common';
import { Deliver } from './deliver.js';
import { Deliveries } from './deliveries.js';
import { Destinations } from './destinations.js';
import { DestinationsController } from './destinations.controller.js';
import { Exporter } from './exporter.js';
import { TestDestination } from './test-destination.js';

@Module({
  controllers: [DestinationsController],
  providers: [Deliver, Deliveries, Destinations, Exporter, TestDestination],
})
export class SiemModule {}

import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/index.js';
import { DomainsModule } from '../domains/index.js';
import { FederationModule } from '../federation/index.js';
import { DeliveryController } from './delivery.controller.js';
import { DiscoverTransmitter } from './discover-transmitter.js';
import { FindSubject } from './find-subject.js';
import { ReceiveSet } from './receive-set.js';
import { TransmitterKeys } from './transmitter-keys.js';
import { TransmittersController } from './transmitters.controller.js';
import { Transmitters } from './transmitters.js';
import { VerifySet } from './verify-set.js';

@Module({
  imports: [AuthModule, DomainsModule, FederationModule],
  controllers: [TransmittersController, DeliveryController],
  providers: [DiscoverTransmitter, FindSubject, ReceiveSet, TransmitterKeys, Transmitters, VerifySet],
})
export class SharedSignalsModule {}

import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { currentTenant } from '../platform/database/index.js';
import { auditDetails } from '../platform/http/request-context.js';
import { Deliver } from './deliver.js';
import { Destinations } from './destinations.js';
import type { TestResultDto } from './destinations.dto.js';
import { OCSF_VERSION, type OcsfEvent } from './ocsf.js';

/** Sends one made-up event to a destination, to see whether it is taken. It is no event of the log, and says so. */
@Injectable()
export class TestDestination {
  constructor(
    private readonly destinations: Destinations,
    private readonly deliver: Deliver,
  ) {}

  async execute(id: string): Promise<TestResultDto> {
    const sender = this.deliver.sender(await this.destinations.find(id));
    const verdict = await sender.send([{ seq: 0, bytes: sender.encode(testEvent(currentTenant().id)) }]);
    const delivered = verdict.kind === 'accepted';
    auditDetails({ changes: { delivered } });
    return { delivered, ...('error' in verdict && { error: verdict.error }) };
  }
}

function testEvent(tenant: string): OcsfEvent {
  return {
    class_uid: 6003,
    category_uid: 6,
    activity_id: 99,
    type_uid: 600_399,
    severity_id: 1,
    status_id: 1,
    time: Date.now(),
    message: 'A test of this destination; nothing has happened.',
    metadata: {
      version: OCSF_VERSION,
      product: { name: 'Waxell', vendor_name: 'Waxell' },
      uid: uuidv7(),
      sequence: 0,
      event_code: 'test',
      tenant_uid: tenant,
    },
    actor: { user: { uid: 'siem', type_id: 3 } },
    api: { operation: 'test' },
    src_endpoint: { svc_name: 'waxell' },
  };
}

import { Injectable } from '@nestjs/common';
import { auditDetails } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { Addresses } from './addresses.js';
import { Attempts, newState } from './attempts.js';
import { ConnectionStore } from './connection-store.js';
import type { OrderedTestDto } from './tests.dto.js';

/** Orders a sign-in that is looked at and opens nothing, active or not. */
@Injectable()
export class OrderTest {
  constructor(
    private readonly work: UnitOfWork,
    private readonly store: ConnectionStore,
    private readonly attempts: Attempts,
    private readonly addresses: Addresses,
  ) {}

  async execute(connectionId: string): Promise<OrderedTestDto> {
    const { id } = await this.store.find(connectionId);
    const order = newState();
    await this.work.run(async () => {
      auditDetails({ resource: { type: 'sso_connection', id } });
      await this.attempts.begin(id, order, 'any', { purpose: 'test', secrets: {} });
    });
    return { url: `${this.addresses.of(id, 'start')}?test=${order}` };
  }
}

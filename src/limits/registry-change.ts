import { Injectable } from '@nestjs/common';
import { EventRecorder, type AuditEvent } from '../audit/index.js';
import { announce, Cells, type Statement, type TenantId } from '../platform/database/index.js';

/** Runs a statement in the transaction. */
type Query = <Row>(statement: Statement) => Promise<Row[]>;

/** A change to a tenant's entry in the registry: the change, its event in the installation's log and its announcement to all processes commit together. */
@Injectable()
export class RegistryChange {
  constructor(
    private readonly cells: Cells,
    private readonly events: EventRecorder,
  ) {}

  async run<T>(
    tenant: TenantId,
    event: (result: T) => AuditEvent,
    work: (query: Query) => Promise<T>,
  ): Promise<T> {
    const client = await this.cells.home.control.connect();
    let broken: Error | undefined;
    try {
      const query: Query = async <Row>({ text, values }: Statement) =>
        (await client.query(text, [...values])).rows as Row[];
      await client.query('BEGIN');
      const result = await work(query);
      await query(await this.events.statementOfInstallation(event(result)));
      await query(announce({ kind: 'tenant', tenant, id: tenant }));
      await client.query('COMMIT');
      this.events.committed();
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch((failure: Error) => (broken = failure));
      throw error;
    } finally {
      client.release(broken);
    }
  }
}

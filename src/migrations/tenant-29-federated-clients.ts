import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Clients for which an issuer of theirs vouches: whose tokens prove them, of whom, meant for whom. */
export class TenantFederatedClients20261130130000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`ALTER TABLE oauth_clients ADD COLUMN federation jsonb`);
    await db.query(`ALTER TABLE oauth_clients DROP CONSTRAINT oauth_clients_authentication_check`);
    for (const [name, check] of [
      [
        'oauth_clients_authentication_check',
        `authentication IN ('client_secret', 'private_key_jwt', 'federated_token')`,
      ],
      ['oauth_clients_federation_check', `(authentication = 'federated_token') = (federation IS NOT NULL)`],
    ]) {
      await db.query(`ALTER TABLE oauth_clients ADD CONSTRAINT ${name} CHECK (${check}) NOT VALID`);
      await db.query(`ALTER TABLE oauth_clients VALIDATE CONSTRAINT ${name}`);
    }
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}

import type { CreatedClientDto } from '../../src/oauth/clients.dto.js';
import { WORKLOAD, type WorkloadIssuer } from '../fakes/workload-issuer.js';
import { must, type Client } from './client.js';
import { askToken, createClient, type OAuthAnswer } from './oauth.js';
import type { TestTenant } from './tenants.js';

export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** A client for which an issuer vouches, but for what is said. */
export function federatedClient(
  api: Client,
  issuer: WorkloadIssuer,
  federation: object = {},
  body: object = {},
): Promise<CreatedClientDto> {
  const trusted = { issuer: issuer.url, subject: WORKLOAD, ...federation };
  return createClient(api, { authentication: 'federated_token', federation: trusted, ...body });
}

/** Asks for a token as a workload does: by what its issuer has signed, and in the client's name. */
export function showToken(
  baseUrl: string,
  { clientId }: Pick<CreatedClientDto, 'clientId'>,
  token: string,
  fields: Readonly<Record<string, string>> = {},
): Promise<OAuthAnswer> {
  const shown = { client_assertion_type: ASSERTION_TYPE, client_assertion: token };
  return askToken(baseUrl, { client_id: clientId, ...shown, ...fields });
}

/** What the log says of the last time that a token was asked for by a client, or in its name. */
export async function lastOf(tenant: TestTenant, { id }: { readonly id: string }) {
  const { items } = await must(
    tenant.api.get<{ items: { outcome: string; reason?: string; resource?: { id: string } }[] }>(
      `/v1/audit/events?limit=50&action=token.issued`,
    ),
    200,
  );
  const found = items.find(({ resource }) => resource?.id === id);
  return found && { outcome: found.outcome, reason: found.reason };
}

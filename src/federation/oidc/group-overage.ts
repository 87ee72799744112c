import { Injectable } from '@nestjs/common';
import { ProviderHttp } from '../../platform/egress/index.js';
import { SsoFailed } from '../federation.errors.js';

const MOST_GROUPS = 2_000;
const GRAPH = 'https://graph.microsoft.com/v1.0/me/getMemberObjects';
/** Microsoft Graph and its national clouds. */
const GRAPH_HOSTS: ReadonlySet<string> = new Set([
  'graph.microsoft.com',
  'graph.microsoft.us',
  'dod-graph.microsoft.us',
  'microsoftgraph.chinacloudapi.cn',
]);
/** Azure AD Graph, which tokens still name and which answers nobody any more. */
const RETIRED = 'graph.windows.net';

/** Whether a claim is there, only somewhere else: the ID token itself says where. */
export function isElsewhere(payload: Readonly<Record<string, unknown>>, claim: string): boolean {
  return member(payload['_claim_names'], claim) !== undefined;
}

interface Distributed {
  readonly issuer: string;
  readonly accessToken: string;
  /** The claim that the groups are in. */
  readonly claim: string;
}

/**
 * Groups that did not fit into a token: Entra ID puts in, above 200 groups, where they are to be asked for (OpenID
 * Connect Core 1.0 section 5.6.2). Without them the person would have whatever role is for those without groups, so a
 * failure refuses the sign-in.
 */
@Injectable()
export class GroupOverage {
  constructor(private readonly http: ProviderHttp) {}

  /** Undefined where the claims have all groups themselves. @throws {SsoFailed} */
  async groups(
    payload: Readonly<Record<string, unknown>>,
    { issuer, accessToken, claim }: Distributed,
  ): Promise<readonly string[] | undefined> {
    if (payload['hasgroups'] === true || payload['hasgroups'] === 'true')
      return this.#ask(GRAPH, accessToken);
    const named = member(payload['_claim_names'], claim);
    if (named === undefined) return undefined;
    const endpoint = member(member(payload['_claim_sources'], named), 'endpoint');
    return this.#ask(safeEndpoint(endpoint, issuer), accessToken);
  }

  async #ask(endpoint: string, accessToken: string): Promise<readonly string[]> {
    try {
      const response = await this.http.fetch(endpoint, {
        method: 'POST',
        headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' },
        body: JSON.stringify({ securityEnabledOnly: false }),
      });
      const groups = response.ok ? member(await response.json(), 'value') : undefined;
      if (!Array.isArray(groups) || !groups.every((one) => typeof one === 'string'))
        throw new Error(`The endpoint of the groups answered HTTP ${response.status}.`);
      if (groups.length > MOST_GROUPS) throw new Error('The person has too many groups.');
      return groups;
    } catch (cause) {
      throw new SsoFailed('OIDC_GROUPS_UNAVAILABLE', { cause });
    }
  }
}

/** The token goes with the question: to Microsoft Graph, or to where it came from, and nowhere else. */
function safeEndpoint(endpoint: unknown, issuer: string): string {
  const url = typeof endpoint === 'string' && URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url?.protocol === 'https:' && url.host === RETIRED) return GRAPH;
  if (url?.protocol === 'https:' && GRAPH_HOSTS.has(url.host)) return url.href;
  if (url && url.origin === new URL(issuer).origin) return url.href;
  throw new SsoFailed('OIDC_GROUPS_UNAVAILABLE');
}

function member(value: unknown, name: unknown): unknown {
  if (typeof value !== 'object' || value === null || typeof name !== 'string') return undefined;
  return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}

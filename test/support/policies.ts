import { expect } from 'vitest';
import type { ExplanationDto } from '../../src/policies/explain.dto.js';
import type { Problem } from '../../src/platform/http/problem.js';
import type { PolicyVersionDto } from '../../src/policies/policies.dto.js';
import { anAgent, furnished, type Furnished } from './access.js';
import { must, type Answer, type Client } from './client.js';
import { eventually } from './eventually.js';
import type { RunningApplication } from './shared-application.js';
import { steppedUp } from './single-sign-on.js';
import type { TestTenant } from './tenants.js';

const PATH = '/v1/access/policies';
export const PRODUCTION = `resource has environment && resource.environment == "production"`;
export const FREEZE = `@id("freeze")
forbid (principal, action in [Action::"agent:update", Action::"agent:delete"], resource)
when { ${PRODUCTION} };`;

/** The policies of an organisation, and what they speak of: a project in production, and another that is not. */
export class Policies {
  private constructor(
    /** Who has just proved the password again. */
    readonly owner: Client,
    readonly live: Furnished,
    readonly tried: Furnished,
  ) {}

  static async of(app: RunningApplication, tenant: TestTenant): Promise<Policies> {
    const { api } = tenant;
    const owner = await steppedUp(app, tenant);
    const [live, tried] = [await furnished(api, 2), await furnished(api, 1)];
    const labels = { environment: 'production', tags: ['eu'] };
    await must(api.put(`/v1/projects/${live.project.id}/labels`, labels), 200);
    return new Policies(owner, live, tried);
  }

  write(text: string, api = this.owner): Promise<PolicyVersionDto> {
    return must(api.post<PolicyVersionDto>(PATH, { text }), 201);
  }

  activate(version: number, api = this.owner): Promise<Answer<Problem>> {
    return api.post(`${PATH}/${version}/activate`);
  }

  goBack(version: number | null, api = this.owner): Promise<Answer<Problem>> {
    return api.post(`${PATH}/rollback`, { version });
  }

  /** Puts a text in force; back to none before the next test. */
  async inForce(text: string): Promise<number> {
    const { version } = await this.write(text);
    await must(this.activate(version), 200);
    await this.heard(version);
    return version;
  }

  /** As before the first one. */
  async none(): Promise<void> {
    const { status, body } = await this.goBack(null);
    if (status !== 200 && status !== 409) throw new Error(JSON.stringify(body));
    await this.heard(undefined);
  }

  /** Until the process has heard which version is in force; that it does within a second is what is promised. */
  heard(version: number | undefined): Promise<void> {
    return eventually(() => decidedBy(this.owner, version), 1_000);
  }
}

async function decidedBy(owner: Client, version: number | undefined): Promise<void> {
  const asked = { permission: 'profile:read' };
  const answer = await must(owner.post<ExplanationDto>('/v1/access/explain', asked), 200);
  expect(answer.version).toBe(version);
}

export const agentIn = (one: Furnished): string => anAgent(one).id;

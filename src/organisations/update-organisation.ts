import { Injectable } from '@nestjs/common';
import type { RegistryTransaction, TenantId } from '../platform/database/index.js';
import { VersionMismatch } from '../platform/http/parameters.js';
import { VersionRequired } from '../platform/http/errors.js';
import { auditDetails } from '../platform/http/request-context.js';
import { CLAIM_SLUG, SlugTaken, type Quotas, type Tenant } from '../tenancy/index.js';
import { ChangeOrganisation } from './change-organisation.js';

/** A former name leads to its organisation for so long, and nobody else can have it. */
const FORMER_NAME_DAYS = 90;

export interface OrganisationUpdate {
  readonly slug?: string;
  readonly name?: string;
  /** `null` takes the operator's own value away: the default is in force again. */
  readonly quotas?: { readonly [Name in keyof Quotas]?: number | null };
}

@Injectable()
export class UpdateOrganisation {
  constructor(private readonly change: ChangeOrganisation) {}

  async execute(
    id: TenantId,
    { slug, name, quotas }: OrganisationUpdate,
    version: number | undefined,
  ): Promise<Tenant> {
    if (version === undefined) throw new VersionRequired();
    return this.change.execute(id, 'update', async (registry, tenant) => {
      if (version !== tenant.version) throw new VersionMismatch();
      const renamed = slug !== undefined && slug !== tenant.slug;
      if (renamed) await rename(registry, tenant, slug);
      auditDetails({
        changes: { ...(renamed && { slug }), ...(name !== undefined && { name }), ...(quotas && { quotas }) },
      });
      return {
        ...(slug !== undefined && { slug }),
        ...(name !== undefined && { name }),
        ...(quotas && { quotas: merged(tenant.quotas, quotas) }),
      };
    });
  }
}

async function rename(registry: RegistryTransaction, tenant: Tenant, slug: string): Promise<void> {
  // First the present name, of which each organisation has one.
  await registry.query({
    text: `UPDATE control.slugs SET former_since = now(), until = now() + make_interval(days => $2)
      WHERE tenant = $1 AND until IS NULL`,
    values: [tenant.id, FORMER_NAME_DAYS],
  });
  const { rowCount } = await registry.query({ text: CLAIM_SLUG, values: [tenant.id, slug] });
  if (rowCount === 0) throw new SlugTaken(slug);
}

function merged(own: Partial<Quotas>, changes: NonNullable<OrganisationUpdate['quotas']>): Partial<Quotas> {
  // What was left out of a body is there as undefined.
  const meant = Object.entries(changes).filter(([, value]) => value !== undefined);
  const entries = Object.entries({ ...own, ...Object.fromEntries(meant) });
  return Object.fromEntries(entries.filter(([, value]) => value !== null));
}

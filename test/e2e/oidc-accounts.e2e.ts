import type { JWTPayload } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ConnectionDto } from '../../src/federation/connections.dto.js';
import { grant, makeRole } from '../support/access.js';
import type { Page } from '../support/browser.js';
import { must, refusal } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { OidcSignIns, ROLES } from '../support/oidc-sign-ins.js';
import { sharedSite } from '../support/shared-application.js';
import { steppedUp } from '../support/single-sign-on.js';
import { createPerson } from '../support/tenants.js';

const app = sharedSite();
let sso: OidcSignIns;
beforeAll(async () => {
  sso = await OidcSignIns.begin();
});
afterAll(() => sso.end());
afterEach(() => sso.issuer.honest());

describe('somebody who is proven and still not let in', () => {
  it.each<[string, string, () => JWTPayload]>([
    [
      'an address that the provider has not verified',
      'SSO_EMAIL_UNVERIFIED',
      () => sso.ann({ sub: 'x1', email_verified: false }),
    ],
    [
      'an address of a domain that is not the organisation’s',
      'SSO_EMAIL_DOMAIN',
      () => sso.ann({ sub: 'x2', email: 'ann@elsewhere.example' }),
    ],
    ['no address', 'SSO_EMAIL_MISSING', () => sso.ann({ sub: 'x3', email: undefined })],
    [
      'two addresses',
      'SSO_EMAIL_MISSING',
      () => sso.ann({ sub: 'x4', email: [sso.address('ann'), sso.address('owner')] }),
    ],
    [
      'an address with a display name',
      'SSO_EMAIL_MISSING',
      () => sso.ann({ sub: 'x5', email: `Ann <ann@${sso.domain}>` }),
    ],
  ])('%s', async (_name, reason, claims) => {
    expect(await sso.refusedWith(await sso.attempt(claims()))).toBe(reason);
  });

  it('a person who was disabled', async () => {
    await sso.attempt(sso.somebody('carl'));
    const user = String((await sso.lastEvent('session.created'))?.changes?.['user']);
    await must(sso.tenant.api.patch(`/v1/users/${user}`, { status: 'disabled' }), 200);
    expect(await sso.refusedWith(await sso.attempt(sso.ann({ sub: 'carl' })))).toBe('SSO_ACCOUNT_DISABLED');
    expect(
      await sso.refusedWith(await sso.attempt(sso.ann({ sub: 'another', email: sso.address('carl') }))),
    ).toBe('SSO_ACCOUNT_DISABLED');
  });

  it('an Owner, through a connection that an Admin has set: who sets where people come from cannot come as more than they are', async () => {
    const admin = await createPerson(sso.tenant.api, 'Admin');
    await sso.person('boss', 'Owner');
    const session = await steppedUp(app, sso.tenant, admin);
    const own = await sso.connect(session, { provisioning: true });
    expect(own.highestRole).toBe('Admin');
    // A name says nothing of whom it lets in.
    const renamed = sso.owner.patch<ConnectionDto>(`/v1/sso/connections/${own.id}`, { name: 'renamed' });
    expect((await must(renamed, 200)).highestRole).toBe('Admin');
    expect(await sso.refusedWith(await sso.attempt(sso.somebody('boss'), own))).toBe(
      'SSO_ROLE_ABOVE_CONNECTION',
    );
    // The same through the connection that the Owner has set.
    expect((await sso.attempt(sso.somebody('boss'))).status).toBe(302);
    // Touched by an Admin, it is an Admin's.
    await must(session.patch(sso.path, { linking: 'verified_email' }), 200);
    expect(await sso.refusedWith(await sso.attempt(sso.somebody('boss')))).toBe('SSO_ROLE_ABOVE_CONNECTION');
    await must(sso.owner.patch(sso.path, { linking: 'verified_email' }), 200);
  });

  it('an Admin by a grant, through a connection that a Member has set', async () => {
    const setter = await createPerson(sso.tenant.api, 'Member');
    const role = await makeRole(sso.tenant.api, ['sso:read', 'sso:manage']);
    await grant(sso.tenant.api, '', setter.id, { roleId: role.id });
    const own = await sso.connect(await steppedUp(app, sso.tenant, setter), {
      roles: { rules: [], defaultRole: 'Member', everySignIn: false },
    });
    expect(own.highestRole).toBe('Member');
    const as = async (name: string): Promise<Page> => {
      const { id } = await sso.person(name, 'Member');
      if (name === 'raised') await grant(sso.tenant.api, '', id, { role: 'Admin' });
      return sso.attempt(sso.somebody(name), own);
    };
    expect(await sso.refusedWith(await as('raised'))).toBe('SSO_ROLE_ABOVE_CONNECTION');
    expect((await as('plain')).status).toBe(302);
  });

  it('as an Owner, whatever rules say: an Owner is made by people', async () => {
    const roles = (role: string, defaultRole = 'Viewer') => ({
      rules: [{ claim: 'groups', value: 'bosses', role }],
      defaultRole,
      everySignIn: true,
    });
    const path = sso.path;
    for (const wrong of [roles('Owner'), roles('Admin', 'Owner')])
      expect(await refusal(sso.owner.patch(path, { roles: wrong }))).toEqual({
        status: 400,
        code: 'INVALID_REQUEST',
      });
    // A row of before: what it says is read as Admin.
    await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query({
        text: `UPDATE "${sso.tenant.id}".sso_connections SET roles = $2 WHERE id = $1`,
        values: [sso.connection.id, JSON.stringify(roles('Owner', 'Owner'))],
      }),
    );
    const read = await must(sso.owner.get<ConnectionDto>(path), 200);
    expect(read.roles).toEqual(roles('Admin', 'Admin'));
    for (const groups of [['bosses'], []]) {
      const sub = `jit-${groups.length}`;
      await sso.attempt(sso.somebody(sub, { groups }));
      const added = await sso.lastEvent('session.created');
      expect(added?.changes).toMatchObject({ account: 'added', role: 'Admin' });
    }
    await must(sso.owner.patch(path, { roles: ROLES }), 200);
  });

  it('an account of another Google Workspace or Entra directory', async () => {
    // Whom the connections, which add nobody, link to.
    await sso.attempt(sso.ann());
    const directory = 'b5a920d6-7d3c-44fe-baad-4ffed6b8774d';
    for (const [settings, claims, reason] of [
      [{ hostedDomain: 'acme.example' }, { hd: 'acme.example' }, 'OIDC_HOSTED_DOMAIN'],
      [{ entraTenantId: directory }, { tid: directory }, 'OIDC_DIRECTORY'],
    ] as const) {
      const one = await sso.connect(sso.owner, {}, settings);
      expect(await sso.refusedWith(await sso.attempt(sso.ann(), one))).toBe(reason);
      expect(
        await sso.refusedWith(await sso.attempt(sso.ann({ hd: 'evil.example', tid: 'evil' }), one)),
      ).toBe(reason);
      expect((await sso.attempt(sso.ann(claims), one)).status).toBe(302);
    }
  });
});

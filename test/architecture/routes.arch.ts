import 'reflect-metadata';
import { Controller, Get, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { expect, it } from 'vitest';
import { isPermission, PERMISSIONS, SCOPES } from '../../src/access/permissions.js';
import {
  declaredRoutes,
  describeRoute,
  refuseUnknownPermissions,
} from '../../src/platform/http/annotated-routes.js';
import { Endpoint, PUBLIC, UNAUDITED } from '../../src/platform/http/endpoint.js';
import { previewedApplication } from '../support/previewed-application.js';

@Controller('things')
class Annotated {
  @Get()
  @Endpoint({ permission: 'agent:read', audit: 'agent.read', summary: 'Reads.' })
  read(): string {
    return '';
  }
}

@Controller('holes')
class WithHole {
  @Post('open')
  open(): string {
    return '';
  }
}

@Controller('typos')
class WithTypo {
  @Get()
  @Endpoint({ permission: 'agent:raed', audit: 'agent.read', summary: 'Reads.' })
  read(): string {
    return '';
  }
}

async function application(controllers: (new (...args: never[]) => object)[]) {
  class Root {}
  Module({ controllers })(Root);
  return NestFactory.create(Root, { logger: false, abortOnError: false });
}

it('are these, with these permissions and events: a change here is a change of permissions', async () => {
  const routes = declaredRoutes(await previewedApplication());
  await expect(`${routes.map(describeRoute).join('\n')}\n`).toMatchFileSnapshot('routes.snapshot');
});

it('are each declared with a permission that exists', async () => {
  const routes = declaredRoutes(await previewedApplication());
  expect(routes.length).toBeGreaterThanOrEqual(30);
  expect(() => refuseUnknownPermissions(routes, isPermission)).not.toThrow();
});

it('use every permission that is declared', async () => {
  const routes = declaredRoutes(await previewedApplication());
  const used = new Set(routes.map(({ options }) => options.permission));
  expect(Object.keys(PERMISSIONS).filter((name) => !used.has(name))).toEqual([]);
});

/** What takes something away anybody who may can do at once; the rest gives nobody a way in, nor more than they have. */
const WITHOUT_STEP_UP: Readonly<Record<string, string>> = {
  'agent:delete': 'takes an agent away',
  'label:update': 'says what policies look at, which themselves are activated after a proof',
  'api_key:revoke': 'takes a key away',
  'POST /v1/users/:id/unlock': 'lets the person try again, who has to prove themselves',
  'POST /v1/auth/addresses/unlock': 'lets people there try again, who have to prove themselves',
  'DELETE /v1/users/:id/sessions': 'ends sessions',
  'group:manage': 'a group that nobody is put into gives nothing; who is put into one is proved for',
  'oauth_client:manage': 'DELETE takes a client away',
  'role:manage': 'DELETE takes a role away that nobody holds',
  'grant:manage': 'DELETE takes a grant away',
  'impersonation:end': 'ends support',
  'access_policy:manage': 'a draft is nothing before it is activated, which asks for a proof',
  'scim_directory:manage': 'DELETE of a token takes it away',
  'audit_destination:manage': 'stops, tests or takes up what was set after a proof',
  'alert_channel:manage': 'alerts are told, and nobody acts by them',
  'detection_rule:update': 'says when there is an alert',
  'network_rules:update': 'closes countries; who is let in still has to prove who they are',
  'audit:export': 'reads what the role reads already',
  'audit_restore:create': 'brings back what the role may read',
  'audit_retention:update': 'keeps the log longer or shorter, within the bounds of the installation',
  'request_bodies:update': 'says what the log keeps',
  'legal_hold:update': 'an Owner, with a reason, in the log',
};

it('of administrators ask people for a proof of the last minutes, or are named here with a reason', async () => {
  const routes = declaredRoutes(await previewedApplication());
  const administering = routes.filter(({ method, options: { permission } }) => {
    const name = String(permission);
    const known = isPermission(name) ? PERMISSIONS[name] : undefined;
    const ofPeople = known && !['operator', 'directory', 'transmitter'].includes(known.grantee);
    return method !== 'GET' && ofPeople && known.scope.endsWith(':admin');
  });
  const exempt = administering.filter(({ options }) => !options.stepUp);
  const reasonOf = ({ method, path, options }: (typeof routes)[number]): string | undefined =>
    WITHOUT_STEP_UP[`${method} ${path}`] ?? WITHOUT_STEP_UP[String(options.permission)];
  expect(exempt.filter((route) => !reasonOf(route)).map(describeRoute)).toEqual([]);
  // A reason by a permission is no reason for whatever that permission comes to mean: what gives is asked for by name.
  const giving = new Set([
    'api_key:create',
    'user:create',
    'oauth_client:manage',
    'role:manage',
    'grant:manage',
  ]);
  const making = exempt.filter(
    ({ method, options }) => giving.has(String(options.permission)) && method !== 'DELETE',
  );
  expect(making.map(describeRoute)).toEqual([]);
  const named = new Set(
    exempt.flatMap(({ method, path, options }) => [`${method} ${path}`, String(options.permission)]),
  );
  expect(Object.keys(WITHOUT_STEP_UP).filter((name) => !named.has(name))).toEqual([]);
});

it('that change anything are audited, and public ones say why they are', async () => {
  const routes = declaredRoutes(await previewedApplication());
  const silent = routes.filter(({ method, options }) => method !== 'GET' && options.audit === UNAUDITED);
  expect(silent).toEqual([]);
  const open = routes.filter(({ options }) => options.permission === PUBLIC);
  expect(open.every(({ options }) => (options.reason ?? '').length > 10)).toBe(true);
});

it('without @Endpoint keep the application from starting', async () => {
  const app = await application([Annotated, WithHole]);
  expect(() => declaredRoutes(app)).toThrow('Routes without @Endpoint: WithHole.open');
});

it('with a permission that does not exist keep the application from starting', async () => {
  const app = await application([Annotated, WithTypo]);
  const routes = declaredRoutes(app);
  expect(() => refuseUnknownPermissions(routes, isPermission)).toThrow('WithTypo.read (agent:raed)');
  expect(() => refuseUnknownPermissions(declaredRoutes(app).slice(0, 1), isPermission)).not.toThrow();
});

it('can be called with an API key of some scope, but for those of the operator', () => {
  for (const { scope, grantee } of Object.values(PERMISSIONS))
    expect({ scope, known: SCOPES.includes(scope) }).toEqual({ scope, known: grantee !== 'operator' });
});

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

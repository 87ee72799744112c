import { Global, Module } from '@nestjs/common';
import { Authorizer } from './authorizer.js';

/** Global: one authority decides for every room. */
@Global()
@Module({ providers: [Authorizer], exports: [Authorizer] })
export class AccessModule {}

import { Param, type PipeTransform } from '@nestjs/common';
import { ResourceNotFound } from '../platform/http/errors.js';

const NUMBER = /^[1-9]\d{0,8}$/;

/** What is no number of a version cannot exist. */
class VersionPipe implements PipeTransform<string, number> {
  transform(value: string): number {
    if (!NUMBER.test(value)) throw new ResourceNotFound('version of policies');
    return Number(value);
  }
}

export function VersionNumber(): ParameterDecorator {
  return Param('version', new VersionPipe());
}

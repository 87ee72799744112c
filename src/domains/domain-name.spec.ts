import { expect, it } from 'vitest';
import { canonicalDomain, domainOf } from './domain-name.js';

it.each([
  ['Example.COM', 'example.com'],
  [' example.com. ', 'example.com'],
  ['bücher.example', 'xn--bcher-kva.example'],
  ['a.b-c.example', 'a.b-c.example'],
])('keeps %j as %j', (text, name) => expect(canonicalDomain(text)).toBe(name));

it.each([
  '',
  'com',
  'localhost',
  '127.0.0.1',
  '[::1]',
  'exa mple.com',
  'example.com/path',
  'example.com:443',
  '-a.example',
  'a..example',
  '*.example.com',
  'user@example.com',
  `${'a'.repeat(64)}.example`,
  `${'a.'.repeat(127)}example`,
  '1.2.3',
])('knows no domain in %j', (text) => expect(canonicalDomain(text)).toBeUndefined());

it.each([
  ['Ann@Example.com', 'example.com'],
  ['"a@evil.example"@example.com', 'example.com'],
  ['ann@example.com@evil.example', 'evil.example'],
  ['@example.com', undefined],
  ['ann', undefined],
  ['ann@', undefined],
  ['ann@example.com>', undefined],
])('says that %j is of %j', (email, domain) => expect(domainOf(email)).toBe(domain));

/** Where a browser goes after a sign-in: a path of this site, and nothing that a browser reads as another. */
export function safeReturnTo(given: unknown, baseUrl: string): string {
  if (typeof given !== 'string' || given.length > 2_000 || !/^\/(?![/\\])[\x21-\x7e]*$/.test(given))
    return '/';
  if (given.includes('\\')) return '/';
  const url = URL.canParse(given, baseUrl) ? new URL(given, baseUrl) : undefined;
  // `/..//elsewhere` is a path until it is written shorter; two slashes begin another site.
  if (url?.origin !== new URL(baseUrl).origin || url.pathname.startsWith('//')) return '/';
  return `${url.pathname}${url.search}${url.hash}`;
}

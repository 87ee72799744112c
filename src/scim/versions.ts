/** Whether `If-Match` lets a change through: it names the version that there is, or asks for none. */
export function matches(ifMatch: string | undefined, etag: string): boolean {
  if (ifMatch === undefined || ifMatch.trim() === '*') return true;
  return ifMatch.split(',').some((one) => bare(one) === bare(etag));
}

/** Ours are weak; some clients send them back without saying so. */
function bare(etag: string): string {
  return etag.trim().replace(/^W\//, '').replaceAll('"', '');
}

import { X509Certificate } from 'node:crypto';

const LONGEST_CHAIN = 6;

/**
 * Whether a chain of certificates (DER, the key's own first) leads to one of the makers' roots that an organisation
 * trusts: each signed by the next, each of those an authority, all of them valid now.
 */
export function leadsTo(roots: readonly string[], chain: readonly Uint8Array[], now: Date): boolean {
  if (chain.length === 0 || chain.length > LONGEST_CHAIN) return false;
  try {
    const anchors = roots.map((pem) => new X509Certificate(pem)).filter((root) => isValid(root, now));
    const certificates = chain.map((der) => new X509Certificate(der));
    for (const [at, certificate] of certificates.entries()) {
      if (!isValid(certificate, now) || (at > 0 && !certificate.ca)) return false;
      if (anchors.some((root) => isSame(root, certificate) || isIssuedBy(certificate, root))) return true;
      const next = certificates[at + 1];
      if (!next || !isIssuedBy(certificate, next)) return false;
    }
    return false;
  } catch {
    return false;
  }
}

function isSame(root: X509Certificate, certificate: X509Certificate): boolean {
  return root.raw.equals(certificate.raw);
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function isValid({ validFromDate, validToDate }: X509Certificate, now: Date): boolean {
  return validFromDate <= now && now <= validToDate;
}

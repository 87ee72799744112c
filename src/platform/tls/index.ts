export { CertificateExpiry, type ExpiringCertificate, type ExpiryLevel } from './certificate-expiry.js';
export { CertificateWatch, POLL_MS } from './certificate-watch.js';
export { clientTls, type ClientTls } from './client-tls.js';
export { tlsPolicy, type MinimumVersion } from './policy.js';
export { redisFiles } from './redis-tls.js';
export { serverFiles, serverTls, type ServerTls } from './server-tls.js';
export { TlsFiles, type PemFile, type TlsFilesOptions } from './tls-files.js';

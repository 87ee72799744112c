import type { SecureContextOptions } from 'node:tls';
import { ConfigurationError, type Environment } from '../config/environment.js';
import { tlsPolicy } from './policy.js';
import { TlsFiles } from './tls-files.js';

/** A client that does not finish its handshake does not keep a connection. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** How often connections are held against the server's time-outs. */
const CHECK_MS = 5_000;

/** Options of `https.createServer`. */
export interface ServerTls extends SecureContextOptions {
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
  readonly handshakeTimeout: number;
  readonly ALPNProtocols: string[];
  readonly connectionsCheckingInterval: number;
}

/** The server's certificate, or none where TLS ends elsewhere. */
export function serverFiles(env: Environment): TlsFiles | undefined {
  const { TLS_CERT_FILE: cert, TLS_KEY_FILE: key, TLS_CLIENT_CA_FILE: ca } = env;
  if (cert === undefined && key === undefined && ca === undefined) return undefined;
  if (cert === undefined || key === undefined)
    throw new ConfigurationError('TLS needs both TLS_CERT_FILE and TLS_KEY_FILE.');
  return new TlsFiles({
    name: 'server',
    cert: { setting: 'TLS_CERT_FILE', path: cert },
    key: { setting: 'TLS_KEY_FILE', path: key },
    ca: ca === undefined ? undefined : { setting: 'TLS_CLIENT_CA_FILE', path: ca },
    policy: tlsPolicy(env.TLS_MIN_VERSION),
  });
}

/** With authorities in the files, whoever has no certificate of theirs gets no connection. */
export function serverTls(files: TlsFiles): ServerTls {
  const clients = files.options.ca !== undefined;
  return {
    ...files.options,
    requestCert: clients,
    rejectUnauthorized: clients,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    ALPNProtocols: ['http/1.1'],
    connectionsCheckingInterval: CHECK_MS,
  };
}

import type { ConnectionOptions, SecureContext } from 'node:tls';
import type { TlsFiles } from './tls-files.js';

export interface ClientTls extends ConnectionOptions {
  readonly rejectUnauthorized: boolean;
  readonly secureContext: SecureContext;
}

/**
 * How a client connects with what the files hold. Clients keep these options for as long as they live and copy their
 * members at each connection, so the context is a getter: a new connection has the certificate that is there now.
 *
 * Said outright although it is the default: NODE_TLS_REJECT_UNAUTHORIZED would change the default.
 */
export function clientTls(files: TlsFiles, verify = true): ClientTls {
  return {
    rejectUnauthorized: verify,
    get secureContext(): SecureContext {
      files.refresh();
      return files.context;
    },
  };
}

import type { Actor } from '../platform/http/request-context.js';
import type { AllowedNetworks } from './allowed-networks.js';
import type { Fingerprints } from './session-binding.js';

/** An authenticated credential: who acts, until when it may be believed, and what it hangs on. */
export interface Authenticated {
  readonly actor: Actor;
  /** Milliseconds since 1970; undefined where the credential does not expire. */
  readonly expiresAt?: number;
  /** Changes of any of these end it: `user:<id>`, `api_key:<id>`, `session:<id>`, `oauth_client:<id>`, `oauth_token:<jti>`, `directory:<id>`, `transmitter:<id>`; of what everybody there may do, `tenant:<id>`. */
  readonly dependsOn: readonly string[];
  /** For API keys and clients: from where they may be used, if not from everywhere. */
  readonly networks?: AllowedNetworks;
  /** For sessions: what they are bound to. */
  readonly bound?: Fingerprints;
  /** For access tokens: of the key whose holder alone may show them. */
  readonly keyThumbprint?: string | undefined;
}

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { ConfigurationError } from '../config/environment.js';

/** A PEM file, and what the operator calls it: messages name the setting, never the path. */
export interface PemFile {
  readonly setting: string;
  readonly path: string;
}

export interface TlsFilesOptions {
  /** What the certificate is for, as logs and the registry say it. */
  readonly name: string;
  /** With the chain up to, but without, the root. Certificate and key come together. */
  readonly cert?: PemFile | undefined;
  readonly key?: PemFile | undefined;
  /** Whom we believe; without it those that the system believes (as a client) or nobody (as a server). */
  readonly ca?: PemFile | undefined;
  readonly policy: SecureContextOptions;
}

interface Contents {
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly ca: string | undefined;
}

interface Taken {
  readonly contents: Contents;
  readonly chain: readonly X509Certificate[];
  readonly options: SecureContextOptions;
  readonly context: SecureContext;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Certificate, key and authorities from files that somebody else replaces while we run. Files are taken together or not
 * at all: when they cannot be read, or do not belong together, what was taken before stays, and `problem` says why.
 * Contents are compared, so it does not matter how they are replaced (rename, links as Kubernetes moves them, in place).
 */
export class TlsFiles {
  readonly name: string;
  readonly #options: TlsFilesOptions;
  #taken: Taken;
  #candidate: Contents | undefined;
  #problem: string | undefined;
  #generation = 1;

  /** Throws a ConfigurationError when the files cannot be used. */
  constructor(options: TlsFilesOptions) {
    this.name = options.name;
    this.#options = options;
    this.#taken = this.#verified(this.#read());
  }

  /** For whoever makes contexts of its own, as a server does. */
  get options(): SecureContextOptions {
    return this.#taken.options;
  }

  get context(): SecureContext {
    return this.#taken.context;
  }

  /** The certificate in use and those that vouch for it; empty where there is none. */
  get chain(): readonly X509Certificate[] {
    return this.#taken.chain;
  }

  /** Counts how often files were taken. */
  get generation(): number {
    return this.#generation;
  }

  /** Why the files as they are now are not in use. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Takes what the files hold now. Never throws. */
  refresh(): void {
    this.#update(() => true);
  }

  /** As `refresh`, but takes a change only when it looks the same for the second time: nobody is writing any more. */
  refreshSettled(): void {
    this.#update((contents) => {
      const settled = this.#candidate !== undefined && same(contents, this.#candidate);
      this.#candidate = contents;
      return settled;
    });
  }

  #update(ready: (contents: Contents) => boolean): void {
    try {
      const contents = this.#read();
      if (same(contents, this.#taken.contents)) {
        this.#candidate = undefined;
        this.#problem = undefined;
      } else if (ready(contents)) {
        const taken = this.#verified(contents);
        refuseExpired(taken.chain, this.#options.cert);
        this.#taken = taken;
        this.#candidate = undefined;
        this.#problem = undefined;
        this.#generation += 1;
      }
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
    }
  }

  #read(): Contents {
    const { cert, key, ca } = this.#options;
    return { cert: read(cert), key: read(key), ca: read(ca) };
  }

  #verified(contents: Contents): Taken {
    const { cert, key, ca, policy } = this.#options;
    const chain = certificates(contents.cert, cert);
    certificates(contents.ca, ca);
    const [leaf] = chain;
    if (leaf && cert && key) requirePair(leaf, contents.key ?? '', cert, key);
    const { cert: certPem, key: keyPem, ca: caPem } = contents;
    const options: SecureContextOptions = {
      ...policy,
      ...(certPem !== undefined && { cert: certPem }),
      ...(keyPem !== undefined && { key: keyPem }),
      ...(caPem !== undefined && { ca: caPem }),
    };
    try {
      return { contents, chain, options, context: createSecureContext(options) };
    } catch (cause) {
      // Such as a key that is too short for the policy. OpenSSL's reason quotes nothing of the files.
      const files = [cert, key, ca].flatMap((file) => (file ? [file.setting] : []));
      throw new ConfigurationError(`${files.join(', ')}: refused by OpenSSL (${reason(cause)}).`);
    }
  }
}

function read(file: PemFile | undefined): string | undefined {
  if (!file) return undefined;
  try {
    return readFileSync(file.path, 'utf8');
  } catch (error) {
    throw new ConfigurationError(
      `${file.setting}: the file cannot be read (${(error as { code?: string }).code ?? 'unknown'}).`,
    );
  }
}

function certificates(pem: string | undefined, file: PemFile | undefined): X509Certificate[] {
  if (pem === undefined || !file) return [];
  const blocks = pem.match(CERTIFICATE) ?? [];
  const begun = pem.split('-----BEGIN CERTIFICATE-----').length - 1;
  if (blocks.length === 0 || blocks.length !== begun)
    throw new ConfigurationError(`${file.setting}: the file is not a complete list of PEM certificates.`);
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    throw new ConfigurationError(`${file.setting}: the file holds a certificate that cannot be parsed.`);
  }
}

function requirePair(leaf: X509Certificate, pem: string, cert: PemFile, key: PemFile): void {
  let matches: boolean;
  try {
    matches = leaf.checkPrivateKey(createPrivateKey(pem));
  } catch {
    throw new ConfigurationError(`${key.setting}: the file is not a PEM private key without a passphrase.`);
  }
  if (!matches)
    throw new ConfigurationError(
      `${cert.setting} and ${key.setting}: the key is not that of the first certificate.`,
    );
}

/** What is in use may be better than a replacement that everybody refuses. */
function refuseExpired([leaf]: readonly X509Certificate[], file: PemFile | undefined): void {
  if (leaf && file && leaf.validToDate.getTime() <= Date.now())
    throw new ConfigurationError(`${file.setting}: the new certificate has expired.`);
}

function same(one: Contents, other: Contents): boolean {
  return one.cert === other.cert && one.key === other.key && one.ca === other.ca;
}

function reason(cause: unknown): string {
  const { code, message } = cause as { code?: string; message?: string };
  return code ?? message ?? 'unknown';
}

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { newOwnKeys } from '../../src/federation/saml/own-keys.js';
import { havePackages } from './debian-package.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';

const run = promisify(execFile);
const INSTALLED = '/usr/share/simplesamlphp';
/** What it asks of PHP, and Debian only recommends. */
const MODULES = ['dom', 'mbstring'];

/** A person who can sign in there. */
export interface ProviderPerson {
  readonly name: string;
  readonly password: string;
  readonly attributes: Readonly<Record<string, readonly string[]>>;
}

/** What of us is registered there. */
export interface RegisteredService {
  readonly entityId: string;
  readonly acsUrl: string;
  /** Base64. */
  readonly certificate: string;
}

/** How it answers one of its services. */
export interface AnswerOptions {
  readonly signResponse?: boolean;
  readonly signAssertion?: boolean;
  readonly encryptAssertion?: boolean;
}

/** Whether there is a SimpleSAMLphp here; said in one line where there is none and none may be installed. */
export async function haveSimpleSamlPhp(): Promise<boolean> {
  if (await havePackages(isThere, ['simplesamlphp', 'php-cli', 'php-xml', 'php-mbstring'])) return true;
  process.stderr.write(
    'SKIPPED: signing in through a real SAML provider: no SimpleSAMLphp, and none can be installed\n',
  );
  return false;
}

async function isThere(): Promise<boolean> {
  try {
    await access(`${INSTALLED}/www/index.php`);
    const { stdout } = await run('php', ['-m']);
    return MODULES.every((name) => stdout.split('\n').includes(name));
  } catch {
    return false;
  }
}

/** Debian's SimpleSAMLphp as an identity provider, with a configuration of its own, served by PHP itself. */
export class SimpleSamlPhp {
  private constructor(
    readonly url: string,
    private readonly folder: string,
    private readonly stopServer: () => Promise<void>,
  ) {}

  get metadataUrl(): string {
    return `${this.url}/saml2/idp/metadata.php`;
  }

  static async start(people: readonly ProviderPerson[]): Promise<SimpleSamlPhp> {
    const folder = await mkdtemp(join(tmpdir(), 'waxell-ssp-'));
    const port = await freePort();
    const url = `http://localhost:${port}`;
    await configure(folder, url, people);
    const env = { PATH: process.env['PATH'] ?? '', SIMPLESAMLPHP_CONFIG_DIR: join(folder, 'config') };
    const child = spawn('php', ['-S', `localhost:${port}`, '-t', `${INSTALLED}/www`], {
      env,
      stdio: 'ignore',
    });
    const kill = (): boolean => child.kill('SIGKILL');
    process.once('exit', kill);
    const stop = async (): Promise<void> => {
      process.off('exit', kill);
      kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
      await rm(folder, { recursive: true, force: true });
    };
    const provider = new SimpleSamlPhp(url, folder, stop);
    await eventually(async () => {
      const { status } = await fetch(provider.metadataUrl);
      if (status !== 200) throw new Error(`Its metadata are answered with ${status}.`);
    }, 20_000);
    return provider;
  }

  /** Registers us there, as its administrator would with our metadata. */
  async register(
    { entityId, acsUrl, certificate }: RegisteredService,
    options: AnswerOptions = {},
  ): Promise<void> {
    const { signResponse = true, signAssertion = true, encryptAssertion = false } = options;
    const service = {
      AssertionConsumerService: acsUrl,
      certData: certificate,
      'validate.authnrequest': true,
      'saml20.sign.response': signResponse,
      'saml20.sign.assertion': signAssertion,
      'assertion.encryption': encryptAssertion,
      sharedkey_algorithm: 'http://www.w3.org/2009/xmlenc11#aes256-gcm',
      NameIDFormat: 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
      'simplesaml.nameidattribute': 'uid',
    };
    await writeFile(
      join(this.folder, 'metadata', 'saml20-sp-remote.php'),
      `<?php $metadata[${php(entityId)}] = ${php(service)};\n`,
    );
  }

  stop(): Promise<void> {
    return this.stopServer();
  }
}

async function configure(folder: string, url: string, people: readonly ProviderPerson[]): Promise<void> {
  const at = (name: string): string => join(folder, name);
  for (const name of ['config', 'metadata', 'cert', 'tmp', 'log', 'sessions']) await mkdir(at(name));
  const { privateKey, certificate } = await newOwnKeys('simplesamlphp');
  await writeFile(at('cert/idp.key'), privateKey);
  await writeFile(at('cert/idp.crt'), certificate);
  const config = {
    baseurlpath: `${url}/`,
    certdir: at('cert'),
    metadatadir: at('metadata'),
    loggingdir: at('log'),
    datadir: folder,
    tempdir: at('tmp'),
    'session.phpsession.savepath': at('sessions'),
    secretsalt: 'of-this-test-alone',
    'auth.adminpassword': 'not used by this test',
    timezone: 'UTC',
    'enable.saml20-idp': true,
    'module.enable': { exampleauth: true, core: true, saml: true },
    'session.cookie.secure': false,
    'session.phpsession.cookiename': 'SimpleSAML',
    'store.type': 'phpsession',
    'logging.handler': 'file',
    'metadata.sources': [{ type: 'flatfile' }],
  };
  const accounts = Object.fromEntries(
    people.map(({ name, password, attributes }) => [`${name}:${password}`, { uid: [name], ...attributes }]),
  );
  const source = { 0: 'exampleauth:UserPass', ...accounts };
  const idp = {
    host: '__DEFAULT__',
    privatekey: 'idp.key',
    certificate: 'idp.crt',
    auth: 'people',
    'signature.algorithm': 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
  };
  await writeFile(at('config/config.php'), `<?php $config = ${php(config)};\n`);
  await writeFile(at('config/authsources.php'), `<?php $config = ${php({ people: source })};\n`);
  await writeFile(at('metadata/saml20-idp-hosted.php'), `<?php $metadata['__DYNAMIC:1__'] = ${php(idp)};\n`);
}

/** As PHP writes it. */
function php(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(php).join(', ')}]`;
  if (typeof value === 'object' && value !== null)
    return `[${Object.entries(value)
      .map(([key, one]) => `${/^\d+$/.test(key) ? key : php(key)} => ${php(one)}`)
      .join(', ')}]`;
  if (typeof value === 'string') return `'${value.replaceAll(/['\\]/g, '\\$&')}'`;
  return String(value);
}

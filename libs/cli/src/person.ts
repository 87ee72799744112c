import { UsageError, type Surroundings } from './command.js';
import { ask, baseUrl, parsed } from './server.js';

export type Send = (method: string, path: string, body?: unknown) => Promise<Response>;

export interface PersonArguments {
  readonly positionals: readonly string[];
  readonly values: { readonly 'wait-days'?: string; readonly confirm?: string; readonly hold?: boolean };
}

/** What a sign-in answers: tokens, or what has to be shown besides the password. */
type SignedIn =
  { readonly accessToken: string } | { readonly challenge: string; readonly methods: readonly string[] };

/** Signs in, proves again who it is, does the work, and ends the session. */
export async function asPerson(
  args: readonly string[],
  surroundings: Surroundings,
  work: (send: Send, out: Surroundings['out'], args: PersonArguments) => Promise<void>,
): Promise<number> {
  const { values, positionals } = parsed(args, {
    url: { type: 'string' },
    organisation: { type: 'string' },
    email: { type: 'string' },
    'wait-days': { type: 'string' },
    confirm: { type: 'string' },
    hold: { type: 'boolean' },
  });
  const { organisation, email } = values;
  if (organisation === undefined || email === undefined)
    throw new UsageError('Say who you are: --organisation SLUG --email ADDRESS');
  const url = baseUrl(values.url);
  const { env, out, askHidden } = surroundings;
  const password = env['WAXELL_PASSWORD'] || (await askHidden?.('Password: '));
  if (password === undefined || password === '')
    throw new UsageError('Put your password into WAXELL_PASSWORD.');
  const factors = new SecondFactors(surroundings);
  const signingIn = { method: 'POST', body: { email, password } };
  const first = await ask(new URL('/v1/auth/login', url), { 'x-tenant-slug': organisation }, signingIn);
  const accessToken = await completed(url, (await first.json()) as SignedIn, factors);
  const authorization = `Bearer ${accessToken}`;
  const send: Send = (method, path, body) => ask(new URL(path, url), { authorization }, { method, body });
  try {
    const options = await send('POST', '/v1/auth/step-up/options');
    const { methods } = (await options.json()) as { methods: readonly string[] };
    const proof = methods.includes('password') ? { password } : await factors.next(methods);
    await send('POST', '/v1/auth/step-up', proof);
    await work(send, out, { positionals, values });
    return 0;
  } finally {
    await send('POST', '/v1/auth/logout');
  }
}

/** The access token, once whatever second factor is asked for was shown. */
async function completed(url: URL, answer: SignedIn, factors: SecondFactors): Promise<string> {
  if ('accessToken' in answer) return answer.accessToken;
  const { challenge, methods } = answer;
  const body = { challenge, ...(await factors.next(methods)) };
  const proved = await ask(new URL('/v1/auth/second-factor', url), {}, { method: 'POST', body });
  return ((await proved.json()) as { accessToken: string }).accessToken;
}

const TYPED = new Set(['totp', 'recovery_code']);

/** Codes that prove a second factor, each of which works once: of the environment, in their order, then typed in. */
class SecondFactors {
  readonly #given: string[];
  readonly #askHidden: Surroundings['askHidden'];

  constructor({ env, askHidden }: Surroundings) {
    this.#given = (env['WAXELL_SECOND_FACTOR'] ?? '').split(/[\s,]+/).filter((code) => code !== '');
    this.#askHidden = askHidden;
  }

  async next(methods: readonly string[]): Promise<{ totp: string } | { recoveryCode: string }> {
    if (!methods.some((method) => TYPED.has(method)))
      throw new UsageError(
        `This person proves a second factor by ${methods.join(' or ')}, which wax cannot ask for. Make recovery codes, or use the API.`,
      );
    const code =
      this.#given.shift() ??
      (await this.#askHidden?.('Code of your authenticator app, not used yet, or a recovery code: '))?.trim();
    if (code === undefined || code === '')
      throw new UsageError(
        'A second factor is asked for, to sign in and again for what cannot be taken back. Put two codes into WAXELL_SECOND_FACTOR, of your authenticator app or recovery codes, each of which works once; or call wax from a terminal.',
      );
    return /^\d{6}$/.test(code) ? { totp: code } : { recoveryCode: code };
  }
}

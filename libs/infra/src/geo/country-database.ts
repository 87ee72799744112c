import { stat, readFile } from 'node:fs/promises';
import { Reader, type CountryResponse } from 'mmdb-lib';

export interface CountryDatabaseOptions {
  /** A file in MaxMind's format with countries: GeoLite2-Country, GeoIP2-City, DB-IP and others. */
  readonly file: string;
  /** Told when the file was replaced by one that cannot be used. The one before stays in use. */
  readonly onError: (error: Error) => void;
  /** How often to look whether the file was replaced. */
  readonly lookAgainMs?: number;
}

/** The file is missing, damaged, or of a kind that says nothing of countries. */
export class CountryDatabaseUnfit extends Error {
  override readonly name = 'CountryDatabaseUnfit';
}

const LOOK_AGAIN_MS = 60_000;
const WITH_COUNTRIES = /country|city|enterprise/i;

/** Which country an address is in, by a database in memory that is read again when its file is replaced. */
export class CountryDatabase {
  readonly #options: CountryDatabaseOptions;
  #reader: Reader<CountryResponse>;
  #version: string;
  readonly #timer: NodeJS.Timeout;

  private constructor(options: CountryDatabaseOptions, reader: Reader<CountryResponse>, version: string) {
    this.#options = options;
    this.#reader = reader;
    this.#version = version;
    this.#timer = setInterval(() => void this.#lookAgain(), options.lookAgainMs ?? LOOK_AGAIN_MS).unref();
  }

  /** @throws CountryDatabaseUnfit */
  static async open(options: CountryDatabaseOptions): Promise<CountryDatabase> {
    // Before the content: a file that is replaced in between is read once more, not once less.
    const version = await versionOf(options.file);
    return new CountryDatabase(options, await read(options.file), version);
  }

  /** ISO 3166-1 alpha-2, in capitals; undefined where the database does not say. */
  countryOf(address: string): string | undefined {
    try {
      return this.#reader.get(address)?.country?.iso_code;
    } catch {
      // What is no address is in no country.
      return undefined;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #lookAgain(): Promise<void> {
    try {
      const version = await versionOf(this.#options.file);
      if (version === this.#version) return;
      // Also where the new one is unfit or missing: that is said once.
      this.#version = version;
      this.#reader = await read(this.#options.file);
    } catch (error) {
      this.#options.onError(error as Error);
    }
  }
}

async function versionOf(file: string): Promise<string> {
  const found = await stat(file).catch(() => undefined);
  return found ? `${found.mtimeMs} ${found.size} ${found.ino}` : 'missing';
}

async function read(file: string): Promise<Reader<CountryResponse>> {
  let reader: Reader<CountryResponse>;
  try {
    reader = new Reader<CountryResponse>(await readFile(file));
  } catch (cause) {
    throw new CountryDatabaseUnfit(`${file} is missing, damaged, or no database in MaxMind's format.`, {
      cause,
    });
  }
  const { databaseType } = reader.metadata;
  if (!WITH_COUNTRIES.test(databaseType))
    throw new CountryDatabaseUnfit(`${file} (${databaseType}) does not say which country an address is in.`);
  return reader;
}

import { Injectable } from '@nestjs/common';
import type { JWTHeaderParameters } from 'jose';
import { KeysUnreadable, ProviderDocuments, PublishedKeys } from '../federation/index.js';
import { ServiceUnavailable } from '../platform/http/errors.js';

/** The keys that transmitters sign with, by the address at which they publish them. */
@Injectable()
export class TransmitterKeys {
  readonly #keys: PublishedKeys;

  constructor(documents: ProviderDocuments) {
    this.#keys = new PublishedKeys((url) => documents.keySet(url));
  }

  /** @throws {ServiceUnavailable | errors.JOSEError} the latter where there is no such key */
  find(url: string, header: JWTHeaderParameters): ReturnType<PublishedKeys['find']> {
    return this.#keys.find(url, header).catch((cause: unknown) => {
      if (!(cause instanceof KeysUnreadable)) throw cause;
      throw new ServiceUnavailable(
        'The keys of the transmitter could not be read. Send the event again in a moment.',
        { cause },
      );
    });
  }
}

import { Injectable } from '@nestjs/common';
import { currentTenant } from '../platform/database/index.js';
import { SearchesBusy } from './directories.errors.js';

/** So many of an organisation's at a time, in this process. */
const MOST = 2;

/** Searches that have to look at very many resources take a processor for seconds: an organisation has few of them at once. */
@Injectable()
export class LongSearches {
  readonly #running = new Map<string, number>();

  /** @returns what ends it @throws {SearchesBusy} */
  begin(): () => void {
    const { id } = currentTenant();
    const running = this.#running.get(id) ?? 0;
    if (running >= MOST) throw new SearchesBusy(MOST);
    this.#running.set(id, running + 1);
    return () => {
      const left = (this.#running.get(id) ?? 1) - 1;
      if (left > 0) this.#running.set(id, left);
      else this.#running.delete(id);
    };
  }
}

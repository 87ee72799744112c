import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What V8 made of the program's modules, kept from one start to the next: half a second of each (measured). */
export const COMPILED = { NODE_COMPILE_CACHE: join(tmpdir(), 'waxell-compiled') };

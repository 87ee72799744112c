import { newKey } from './platform/http/credential.js';
import { sha256 } from './start.js';

/** `npm run -s operator-key`: a new operator key, and its hash, which is all that an installation is told of it. */
const key = newKey('operator');
process.stdout.write(`${key}\nWAXELL_OPERATOR_KEY_HASH=${sha256(key).toString('hex')}\n`);

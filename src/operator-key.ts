import { newKey, operatorKeyHash } from './platform/http/credential.js';

/** `npm run -s operator-key`: a new operator key, and its hash. */
const key = newKey('operator');
process.stdout.write(`${key}\nWAXELL_OPERATOR_KEY_HASH=${operatorKeyHash(key).toString('hex')}\n`);

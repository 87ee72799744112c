export { OutgoingHttp, type OutgoingAnswer, type OutgoingRequest } from './outgoing-http.js';

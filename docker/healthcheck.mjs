// Whether the process in this container lives. It is asked on loopback, so there is nobody to be taken for it: its
// certificate, which names another host, is not verified.
import http from 'node:http';
import https from 'node:https';

const { PORT, TLS_CERT_FILE, TLS_CLIENT_CA_FILE } = process.env;
const client = TLS_CERT_FILE ? https : http;
const end = (lives) => process.exit(lives ? 0 : 1);
const asked = client.get(
  { host: '127.0.0.1', port: PORT, path: '/healthz', rejectUnauthorized: false },
  (answer) => end(answer.statusCode === 200),
);
asked.on('error', () => end(false));
// Without a certificate there is no answer to us; that it shakes hands has to be enough.
if (TLS_CLIENT_CA_FILE) asked.on('socket', (socket) => socket.once('secureConnect', () => end(true)));

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Stands between a client and a server, and can lose the connection, or go silent. */
export class TcpRelay {
  readonly port: number;
  readonly #target: number;
  #server: Server;
  #silent = false;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.#target = target;
    this.port = (server.address() as AddressInfo).port;
    this.#accept();
  }

  static async to(target: number): Promise<TcpRelay> {
    return new TcpRelay(await listening(0), target);
  }

  /** Ends every connection and takes no new one. */
  cut(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Takes everything and answers nothing, as a machine does that has lost its power. */
  fallSilent(): void {
    this.#silent = true;
  }

  async mend(): Promise<void> {
    this.#silent = false;
    for (const socket of this.#sockets) socket.destroy();
    if (this.#server.listening) return;
    this.#server = await listening(this.port);
    this.#accept();
  }

  #accept(): void {
    this.#server.on('connection', (client) => {
      const upstream = connect(this.#target, '127.0.0.1');
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        this.#sockets.add(from);
        from.on('data', (data) => {
          if (!this.#silent) to.write(data);
        });
        from.on('error', () => undefined);
        from.on('close', () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
    });
  }
}

async function listening(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

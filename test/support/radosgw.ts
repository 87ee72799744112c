import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { openSync, closeSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { haveProgram } from './debian-package.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';

const run = promisify(execFile);
const STEP_MS = 30_000;

export interface TestRadosGateway {
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  stop(): Promise<void>;
}

/** Whether there is a Ceph here with its S3 gateway; said in one line where there is none and none may be installed. */
export async function haveRadosGateway(): Promise<boolean> {
  for (const [program, debianPackage] of [
    ['radosgw', 'radosgw'],
    ['ceph-mon', 'ceph-mon'],
    ['ceph-osd', 'ceph-osd'],
    ['ceph', 'ceph-common'],
  ] as const) {
    if (await haveProgram(program, debianPackage)) continue;
    process.stderr.write(
      `SKIPPED: Object Lock against a real S3 server: no ${program}, and none can be installed\n`,
    );
    return false;
  }
  return true;
}

/**
 * Ceph's S3 gateway over a cluster of its own: one monitor and one store, in memory, that speak to each other with cephx.
 * It enforces Object Lock; the store is as small as it can be.
 */
export async function startRadosGateway(): Promise<TestRadosGateway> {
  const dir = await mkdtemp(join(tmpdir(), 'waxell-ceph-'));
  const children: ChildProcess[] = [];
  // A test run that is killed must not leave them behind.
  const kill = (): void => {
    for (const child of children) child.kill('SIGKILL');
  };
  process.once('exit', kill);
  const stop = async (): Promise<void> => {
    process.off('exit', kill);
    kill();
    await Promise.all(
      children.map(async (child) => {
        if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
      }),
    );
    await rm(dir, { recursive: true, force: true, maxRetries: 10 });
  };
  try {
    return { ...(await cluster(dir, children)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function cluster(
  dir: string,
  children: ChildProcess[],
): Promise<Pick<TestRadosGateway, 'endpoint' | 'credentials'>> {
  const [monitor, gateway, fsid] = [await freePort(), await freePort(), randomUUID()];
  const env = { ...process.env, CEPH_CONF: join(dir, 'ceph.conf') };
  const command = (program: string, ...args: string[]) => run(program, args, { env, timeout: STEP_MS });
  const daemon = (program: string, ...args: string[]): void => {
    const log = openSync(join(dir, `${program}.out`), 'w');
    children.push(spawn(program, [...args, '-f'], { env, stdio: ['ignore', log, log] }));
    closeSync(log);
  };
  const keyring = (name: string): string => join(dir, `${name}.keyring`);
  for (const folder of ['mon', 'osd']) await mkdir(join(dir, folder));
  await writeFile(env.CEPH_CONF, configuration(dir, fsid, monitor, gateway));
  await command(
    'ceph-authtool',
    '--create-keyring',
    keyring('mon'),
    '--gen-key',
    '-n',
    'mon.',
    '--cap',
    'mon',
    'allow *',
  );
  const every = ['mon', 'osd', 'mgr'].flatMap((service) => ['--cap', service, 'allow *']);
  await command(
    'ceph-authtool',
    '--create-keyring',
    keyring('client.admin'),
    '--gen-key',
    '-n',
    'client.admin',
    ...every,
  );
  await command('ceph-authtool', keyring('mon'), '--import-keyring', keyring('client.admin'));
  const map = join(dir, 'monmap');
  await command('monmaptool', '--create', '--fsid', fsid, '--addv', 'a', `[v2:127.0.0.1:${monitor}]`, map);
  await command('ceph-mon', '--mkfs', '-i', 'a', '--monmap', map, '--keyring', keyring('mon'));
  daemon('ceph-mon', '-i', 'a');
  await eventually(() => command('ceph', '-s', '--connect-timeout', '5').then(() => undefined), STEP_MS);
  const store = randomUUID();
  await command('ceph', 'osd', 'new', store);
  const ofStore = ['mon', 'allow profile osd', 'osd', 'allow *', 'mgr', 'allow profile osd'];
  await command('ceph', 'auth', 'get-or-create', 'osd.0', ...ofStore, '-o', keyring('osd.0'));
  await command('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', store);
  await command('ceph', 'osd', 'crush', 'add', 'osd.0', '1.0', 'root=default');
  daemon('ceph-osd', '-i', '0');
  await command(
    'ceph',
    'auth',
    'get-or-create',
    'client.rgw',
    'mon',
    'allow rw',
    'osd',
    'allow rwx',
    '-o',
    keyring('client.rgw'),
  );
  daemon('radosgw', '-n', 'client.rgw');
  const endpoint = `http://127.0.0.1:${gateway}`;
  await eventually(async () => {
    if (!(await fetch(endpoint)).ok) throw new Error('The gateway is not ready.');
  }, 60_000);
  const credentials = { accessKeyId: 'AKTEST', secretAccessKey: randomBytes(20).toString('hex') };
  const keys = ['--access-key', credentials.accessKeyId, '--secret-key', credentials.secretAccessKey];
  await command('radosgw-admin', 'user', 'create', '--uid', 'test', '--display-name', 'test', ...keys);
  return { endpoint, credentials };
}

function configuration(dir: string, fsid: string, monitor: number, gateway: number): string {
  return `[global]
fsid = ${fsid}
mon host = [v2:127.0.0.1:${monitor}]
ms bind msgr1 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = ${dir}/$name.keyring
run dir = ${dir}
admin socket =
log file = ${dir}/$name.log
pid file =
mon data = ${dir}/mon
osd data = ${dir}/osd
mon data avail crit = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
osd objectstore = memstore
memstore device bytes = 536870912
rgw frontends = beast endpoint=127.0.0.1:${gateway}
`;
}

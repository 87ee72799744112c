import parsePrometheusTextFormat from 'parse-prometheus-text-format';
import { describe, expect, it } from 'vitest';
import { Gauges, type MeasuredGauge } from './gauges.js';
import { Log } from './log.js';

async function parsed(...gauges: readonly MeasuredGauge[]) {
  const all = new Gauges(new Log('silent'));
  for (const gauge of gauges) all.add(gauge);
  return parsePrometheusTextFormat((await all.read()).text);
}
const gauge = (read: MeasuredGauge['read'], name = 'things'): MeasuredGauge => ({
  name: `waxell_${name}`,
  help: 'Things, of which there are some.',
  label: 'cell',
  read,
});

describe('gauges', () => {
  it('are read by a parser of the format, whatever their labels have in them', async () => {
    const of = 'a "b" \\ c\nd';
    expect(await parsed(gauge(() => [{ of, value: -1.5 }]))).toContainEqual({
      name: 'waxell_things',
      help: 'Things, of which there are some.',
      type: 'GAUGE',
      metrics: [{ value: '-1.5', labels: { cell: of } }],
    });
  });

  it('that cannot be read are left out and counted, and the others are there', async () => {
    const broken = gauge(() => Promise.reject(new Error('no database')), 'broken');
    const names = await parsed(
      broken,
      gauge(() => [{ of: 'c1', value: 1 }]),
    );
    expect(names.map(({ name }) => name).toSorted()).toEqual(['waxell_gauges_failed', 'waxell_things']);
    const failed = names.find(({ name }) => name === 'waxell_gauges_failed');
    expect(failed?.metrics).toEqual([{ value: '1' }]);
  });

  it('are a hundred figures each at most', async () => {
    const many = Array.from({ length: 5_000 }, (_, at) => ({ of: `c${at}`, value: at }));
    const things = (await parsed(gauge(() => many))).find(({ name }) => name === 'waxell_things');
    expect(things?.metrics).toHaveLength(100);
  });

  it('are measured once for all who ask within five seconds', async () => {
    let read = 0;
    const all = new Gauges(new Log('silent'));
    all.add(
      gauge(() => {
        read += 1;
        return [{ of: 'c1', value: read }];
      }),
    );
    await Promise.all([all.read(), all.read(), all.read()]);
    await all.read();
    expect(read).toBe(1);
  });
});

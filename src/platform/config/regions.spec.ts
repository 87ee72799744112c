import { describe, expect, it } from 'vitest';
import { RegionConfig } from './config.js';
import { ConfigurationError, readEnvironment, refuseSharedCells } from './environment.js';

const DATABASE_URL = 'postgres://owner:a-secret@db.example.com/waxell';

describe('the regions of a process', () => {
  it('are all of them, unless it is told which', () => {
    const all = new RegionConfig(readEnvironment({}).SERVE_REGIONS, {});
    expect(all.serves('eu-west-1')).toBe(true);
    const one = new RegionConfig(
      readEnvironment({ SERVE_REGIONS: 'eu-west-1, us-east-1' }).SERVE_REGIONS,
      {},
    );
    expect(['eu-west-1', 'us-east-1', 'ap-south-1'].map((region) => one.serves(region))).toEqual([
      true,
      true,
      false,
    ]);
  });

  it.each([
    ['SERVE_REGIONS', 'Europe'],
    ['SERVE_REGIONS', 'eu-west-1,,us-east-1'],
    ['REGION_URLS', '{"eu-west-1":"ftp://files.example.com"}'],
    ['REGION_URLS', '{"Europe":"https://eu.example.com"}'],
    ['REGION_URLS', 'https://eu.example.com'],
  ])('are refused by name, without their value: %s=%s', (name, value) => {
    const reading = (): unknown => readEnvironment({ [name]: value });
    expect(reading).toThrow(ConfigurationError);
    expect(reading).toThrow(name);
    expect(reading).not.toThrow(value);
  });

  it('have a cell each', () => {
    const env = readEnvironment({ DATABASE_URL, REGION: 'us-east-1', SERVE_REGIONS: 'eu-west-1' });
    expect(() => refuseSharedCells(env)).toThrow('SERVE_REGIONS: there is no cell of eu-west-1.');
    expect(() => refuseSharedCells({ ...env, REGION: 'eu-west-1' })).not.toThrow();
  });
});

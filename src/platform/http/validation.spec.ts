import { IsArray, IsString } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { Nested } from './fields.js';
import { validationPipe } from './validation.js';

class Inner {
  @IsString()
  text!: string;
}

class Plain {
  @IsString()
  name!: string;
}

class Outer extends Plain {
  @Nested(() => Inner)
  inner!: Inner;
}

class Several extends Plain {
  @IsArray()
  @Nested(() => Inner, { each: true })
  many!: Inner[];
}

const pointersOf = async (type: typeof Plain, body: unknown): Promise<string[]> => {
  const refused: unknown = await validationPipe()
    .transform(body, { type: 'body', metatype: type })
    .catch((error: unknown) => error);
  expect(refused).toMatchObject({ kind: 'invalid' });
  return (refused as { errors: { pointer: string }[] }).errors.map(({ pointer }) => pointer).toSorted();
};

describe('a body', () => {
  it('that is a list where an object is asked for is refused, whatever is in it', async () => {
    for (const type of [Plain, Outer])
      for (const body of [[], [null], ['x', 1], [{}], [[]]])
        expect((await pointersOf(type, body)).length).toBeGreaterThan(0);
  });

  it('is refused by the path of each wrong field', async () => {
    expect(await pointersOf(Outer, { name: 1, inner: { text: 2 } })).toEqual(['/inner/text', '/name']);
  });

  it('is refused where one of its fields is a list of what it should be, or no list of it', async () => {
    expect(await pointersOf(Outer, { name: 'x', inner: [{ text: 'x' }] })).toEqual(['/inner']);
    for (const many of [{ text: 'x' }, [[{ text: 'x' }]], ['x'], [null]])
      expect(await pointersOf(Several, { name: 'x', many })).not.toEqual([]);
  });
});

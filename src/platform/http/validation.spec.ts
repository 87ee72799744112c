import { Type } from 'class-transformer';
import { IsObject, IsString, ValidateNested } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { validationPipe } from './validation.js';

class Inner {
  @IsString()
  text!: string;
}

class Plain {
  @IsString()
  name!: string;
}

class Nested extends Plain {
  @IsObject()
  @ValidateNested()
  @Type(() => Inner)
  inner!: Inner;
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
    for (const type of [Plain, Nested])
      for (const body of [[], [null], ['x', 1], [{}], [[]]])
        expect((await pointersOf(type, body)).length).toBeGreaterThan(0);
  });

  it('is refused by the path of each wrong field', async () => {
    expect(await pointersOf(Nested, { name: 1, inner: { text: 2 } })).toEqual(['/inner/text', '/name']);
  });
});

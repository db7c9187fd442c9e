import fc from 'fast-check';

/** Seed of the property tests of this room; `FC_SEED` tries others. */
export const SEED = Number(process.env.FC_SEED ?? 20_260);

const space = fc.stringMatching(/^[ \t\r\n]{0,3}$/);

/** One way to write a character inside a JSON string: as it is, by a short escape, or by its code. */
function spelled(unit: string, style: number): string {
  const code = `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  if (style === 1 || unit < ' ') return code;
  if (unit === '"' || unit === '\\') return `\\${unit}`;
  if (style === 2 && unit === '/') return '\\/';
  // A lone surrogate has no bytes of its own.
  return /[\ud800-\udfff]/.test(unit) ? code : unit;
}

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({
    unit: fc.constantFrom('"', '\\', '/', '{', '}', '[', ']', ',', ':', '\n', 'é', '水', '\ud83d\ude00', '\ud83d'),
    maxLength: 12,
  }),
);

/** JSON text of a string, in many spellings. */
export const jsonString: fc.Arbitrary<string> = fc
  .tuple(text, fc.array(fc.constantFrom(0, 0, 0, 1, 2), { minLength: 1, maxLength: 5 }))
  .map(([value, styles]) => {
    // By code point, so that a pair may also stand there as its four bytes.
    const points = Array.from(value, (point, i) =>
      point.length === 2 && styles[i % styles.length] === 0
        ? point
        : point
            .split('')
            .map((unit) => spelled(unit, styles[i % styles.length] ?? 0))
            .join(''),
    );
    return `"${points.join('')}"`;
  });

const number = fc.constantFrom('0', '-0', '1', '-17', '1.0', '1e3', '2.50E-7', '123456789012345678901234567890');

const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    jsonString,
    number,
    fc.constantFrom('true', 'false', 'null'),
    arrayOf(tie('value')),
    objectOf(tie('value')),
  ),
}));

function arrayOf(item: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(fc.array(fc.tuple(space, item, space), { maxLength: 4 }), space)
    .map(([items, empty]) => `[${items.length === 0 ? empty : items.map((parts) => parts.join('')).join(',')}]`);
}

function objectOf(item: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const member = fc
    .tuple(space, jsonString, space, space, item, space)
    .map(([before, key, behind, ahead, content, after]) => `${before}${key}${behind}:${ahead}${content}${after}`);
  return fc
    .tuple(fc.array(member, { maxLength: 5 }), space)
    .map(([members, empty]) => `{${members.join(',') || empty}}`);
}

/** JSON text of any value; of an object; of an array: with odd spacing, spellings and duplicate keys. */
export const jsonValue: fc.Arbitrary<string> = value;
export const jsonObject: fc.Arbitrary<string> = objectOf(value);
export const jsonArray: fc.Arbitrary<string> = arrayOf(value);

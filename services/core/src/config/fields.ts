import { z } from 'zod';

/**
 * Building blocks of the schema. Every leaf carries its expectation as its error text, so that a message can always say
 * "found X, expected Y" in the words of the field rather than of the validator.
 */

const LONGEST_TIMEOUT_MS = 24 * 3600 * 1000;

export function mapping<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? undefined : 'a mapping (key: value)'),
  });
}

export function list<Item extends z.ZodType>(item: Item, of: string) {
  return z.array(item, { error: `a list of ${of}` });
}

export function text(expected: string) {
  return z.string({ error: expected }).min(1, { error: expected });
}

export function choice<const Values extends readonly [string, ...string[]]>(values: Values) {
  return z.enum(values, { error: values.length === 1 ? `"${values[0]}"` : `one of ${values.join(', ')}` });
}

export function flag() {
  return z.boolean({ error: 'true or false' });
}

/** `what` reads on: "a whole number of bytes", "a TCP port". */
export function whole(what: string, min: number, max: number) {
  const error = `${what} from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

export function milliseconds(min = 1) {
  return whole('a whole number of milliseconds', min, LONGEST_TIMEOUT_MS);
}

export function httpUrl(example: string) {
  const error = `an http(s) URL such as ${example}`;
  return z.string({ error }).refine(isHttpUrl, { error });
}

export function isHttpUrl(value: string): boolean {
  const url = URL.canParse(value) ? new URL(value) : null;
  return url !== null && (url.protocol === 'http:' || url.protocol === 'https:') && url.hostname !== '';
}

const PRICE = 'a decimal number of US dollars per token, such as "0.000003"';

/** US dollars per token; a string keeps every digit, a number is accepted where it reads better. */
export function price() {
  return z.union(
    [z.string().regex(/^\d+(\.\d+)?$/, { error: PRICE }), z.number({ error: PRICE }).nonnegative({ error: PRICE })],
    { error: PRICE },
  );
}

const MONEY = 'an amount of US dollars above zero, such as 100 or "99.50"';

export function money() {
  return z.union(
    [
      z.string().regex(/^\d*[1-9]\d*(\.\d+)?$|^\d+\.\d*[1-9]\d*$/, { error: MONEY }),
      z.number({ error: MONEY }).positive({ error: MONEY }),
    ],
    { error: MONEY },
  );
}

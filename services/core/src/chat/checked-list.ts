import { z } from 'zod';

/**
 * Collections that are checked up to their first bad element. Zod makes an issue of every one: a body of a million of them
 * would hold up the process for seconds and cost a gigabyte.
 */

/** An array. */
export function list<T extends z.ZodType>(item: T, least = 0) {
  return z
    .array(z.unknown())
    .min(least)
    .transform((values, context) => {
      const checked: z.output<T>[] = [];
      for (const [i, value] of values.entries()) {
        const result = item.safeParse(value);
        if (result.success) checked.push(result.data);
        else {
          report(context, result.error, i, value);
          return z.NEVER;
        }
      }
      return checked;
    });
}

/** An object with any keys, its values all of one kind. */
export function dictionary<T extends z.ZodType>(item: T) {
  return z.looseObject({}).transform((values, context) => {
    const checked: [string, z.output<T>][] = [];
    for (const [key, value] of Object.entries(values)) {
      const result = item.safeParse(value);
      if (result.success) checked.push([key, result.data]);
      else {
        report(context, result.error, key, value);
        return z.NEVER;
      }
    }
    return Object.fromEntries(checked) as Record<string, z.output<T>>;
  });
}

function report(context: z.core.$RefinementCtx, error: z.ZodError, key: PropertyKey, input: unknown): void {
  const [first] = error.issues;
  if (first) context.issues.push({ ...first, path: [key, ...first.path], input } as z.core.$ZodRawIssue);
}

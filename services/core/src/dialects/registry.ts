import { anthropic } from './anthropic/dialect.ts';
import type { Dialect } from './dialect.ts';
import { openai } from './openai/dialect.ts';

const dialects: ReadonlyMap<string, Dialect> = new Map([openai, anthropic].map((dialect) => [dialect.name, dialect]));

/** Undefined for a name that no dialect of this release answers to. */
export const findDialect = (name: string): Dialect | undefined => dialects.get(name);

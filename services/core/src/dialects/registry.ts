import { anthropic } from './anthropic/dialect.ts';
import { azure } from './azure/dialect.ts';
import { bedrock } from './bedrock/dialect.ts';
import type { Dialect } from './dialect.ts';
import { gemini } from './gemini/dialect.ts';
import { openai } from './openai/dialect.ts';
import { vertex } from './vertex/dialect.ts';

const dialects: ReadonlyMap<string, Dialect> = new Map(
  [openai, anthropic, gemini, vertex, bedrock, azure].map((dialect) => [dialect.name, dialect]),
);

/** Undefined for a name that no dialect of this release answers to. */
export const findDialect = (name: string): Dialect | undefined => dialects.get(name);

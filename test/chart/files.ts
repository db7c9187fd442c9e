import { readdirSync } from 'node:fs';
import path from 'node:path';

export const ROOT = path.resolve(import.meta.dirname, '..', '..');
export const CHART = path.join(ROOT, 'charts', 'headgate');
export const GOLDEN = path.join(import.meta.dirname, 'golden');
/** What is fetched or made here, git-ignored. */
export const STATE = path.join(ROOT, '.headgate');

/** Names of the values files, without `.yaml`. */
export const CASES = readdirSync(path.join(CHART, 'ci'))
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => name.slice(0, -'.yaml'.length))
  .sort();

export const valuesFile = (name: string): string => path.join(CHART, 'ci', `${name}.yaml`);

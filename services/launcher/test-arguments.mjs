import { statSync } from 'node:fs';
import path from 'node:path';

const ALL = ['services/**/*.test.ts', 'services/**/*.test.mjs', 'test/**/*.test.ts'];
/** For one test, or one file of tests. */
const TIMEOUT_MS = 180_000;

/**
 * @param {string[]} given    what follows `npm test --`: options of node's test runner, written as one word each
 *   (`--test-name-pattern=stream`), and files, folders or patterns that replace the whole suite
 * @param {{ root: string, cores: number }} host
 * @returns {string[]} arguments for node
 */
export function testArguments(given, { root, cores }) {
  const options = given.filter((word) => word.startsWith('-'));
  const chosen = given.filter((word) => !word.startsWith('-'));
  const patterns = chosen.flatMap((word) => {
    if (!statSync(path.resolve(root, word), { throwIfNoEntry: false })?.isDirectory()) return [word];
    return ['ts', 'mjs'].map((ending) => path.posix.join(word, '**', `*.test.${ending}`));
  });
  return [
    ...['-C', 'source', '--test', '--test-reporter=spec', `--test-timeout=${TIMEOUT_MS}`],
    `--test-concurrency=${Math.max(2, cores)}`,
    ...options,
    ...(patterns.length > 0 ? patterns : ALL),
  ];
}

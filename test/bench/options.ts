import { parseArgs } from 'node:util';
import { PHASE_NAMES, type PhaseName } from './load/phases.ts';

export const TARGET_NAMES = ['headgate', 'direct', 'haproxy', 'nginx', 'portkey'] as const;
export type TargetName = (typeof TARGET_NAMES)[number];

export interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly phases: readonly PhaseName[];
  readonly targets: readonly TargetName[];
  /** Only the JSON line: no progress and no table. */
  readonly jsonOnly: boolean;
}

export const USAGE = `npm run bench -- [options]

  --rounds N      interleaved rounds; the report shows medians (default 5)
  --secs N        seconds of each measurement (default 3)
  --phases A,B    of ${PHASE_NAMES.join(', ')} (default all)
  --with A,B      of ${TARGET_NAMES.join(', ')} (default all)
  --without A,B   leave some of them out
  --json          only the JSON line on stdout
  --help          this text
`;

/** Reads the command line; undefined when help is asked for. Throws an error that names the wrong option. */
export function readOptions(argv: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...argv],
    strict: true,
    options: {
      rounds: { type: 'string', default: '5' },
      secs: { type: 'string', default: '3' },
      phases: { type: 'string', default: PHASE_NAMES.join() },
      with: { type: 'string', default: TARGET_NAMES.join() },
      without: { type: 'string', default: '' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const without = names('without', values.without, TARGET_NAMES);
  return {
    rounds: count('rounds', values.rounds, 100),
    seconds: count('secs', values.secs, 60),
    phases: names('phases', values.phases, PHASE_NAMES),
    targets: names('with', values.with, TARGET_NAMES).filter((name) => !without.includes(name)),
    jsonOnly: values.json,
  };
}

/** Keeps the order of `known`, so that the order of the report does not hang on the command line. */
function names<T extends string>(option: string, text: string, known: readonly T[]): T[] {
  const asked = text.split(',').filter((name) => name !== '');
  const wrong = asked.find((name) => !known.some((k) => k === name));
  if (wrong !== undefined) throw new Error(`--${option}: there is no "${wrong}"; choose of ${known.join(', ')}`);
  return known.filter((name) => asked.includes(name));
}

function count(option: string, text: string, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > most) {
    throw new Error(`--${option}: "${text}" is no whole number from 1 to ${most}`);
  }
  return value;
}

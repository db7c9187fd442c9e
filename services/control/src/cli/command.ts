import { type ParseArgsConfig, parseArgs } from 'node:util';
import type { AdminApi } from './connection.ts';
import { WrongCommand } from './failure.ts';
import { KEY_OPTIONS, type KeyOptions } from './key-options.ts';
import { createKey, deleteKey, listKeys, rotateKey, setDisabled, showKey, updateKey } from './keys.ts';
import type { Terminal } from './terminal.ts';
import { REPORT_OPTIONS, type ReportOptions, showBudgets, showGeneration, showReport } from './usage.ts';

/** A command that was understood. */
export interface Command {
  readonly json: boolean;
  run(api: AdminApi, terminal: Terminal): Promise<void>;
}

interface Definition {
  readonly options: NonNullable<ParseArgsConfig['options']>;
  /** What stands behind the command's words; null: nothing. */
  readonly argument: string | null;
  run(api: AdminApi, terminal: Terminal, values: Values, argument: string): Promise<void>;
}

type Values = KeyOptions & ReportOptions & { readonly overlap?: string | undefined };

const KEY = 'the id or name of a key';

const DEFINITIONS: Readonly<Record<string, Definition>> = {
  'keys create': {
    options: KEY_OPTIONS,
    argument: null,
    run: createKey,
  },
  'keys list': {
    options: { group: { type: 'string' } },
    argument: null,
    run: (api, terminal, { group }) => listKeys(api, terminal, group),
  },
  'keys show': { options: {}, argument: KEY, run: (api, terminal, _, key) => showKey(api, terminal, key) },
  'keys update': {
    options: KEY_OPTIONS,
    argument: KEY,
    run: (api, terminal, values, key) => updateKey(api, terminal, key, values),
  },
  'keys disable': { options: {}, argument: KEY, run: (api, terminal, _, key) => setDisabled(api, terminal, key, true) },
  'keys enable': { options: {}, argument: KEY, run: (api, terminal, _, key) => setDisabled(api, terminal, key, false) },
  'keys rotate': {
    options: { overlap: { type: 'string' } },
    argument: KEY,
    run: (api, terminal, { overlap }, key) => rotateKey(api, terminal, key, overlap),
  },
  'keys delete': { options: {}, argument: KEY, run: (api, terminal, _, key) => deleteKey(api, terminal, key) },
  'usage report': { options: REPORT_OPTIONS, argument: null, run: showReport },
  'usage generation': {
    options: {},
    argument: 'the id of a generation',
    run: (api, terminal, _, id) => showGeneration(api, terminal, id),
  },
  budgets: { options: {}, argument: null, run: showBudgets },
};

/** Throws a WrongCommand that says what would be right. */
export function readCommand(words: readonly string[]): Command {
  const name = [words.slice(0, 2).join(' '), words[0] ?? ''].find((candidate) => Object.hasOwn(DEFINITIONS, candidate));
  const definition = name === undefined ? undefined : DEFINITIONS[name];
  if (name === undefined || definition === undefined) throw unknownCommand(words);
  const { values, positionals } = parse(name, definition, words.slice(name.split(' ').length));
  const [argument = '', ...tooMany] = positionals;
  const { argument: expected } = definition;
  if (expected === null && positionals.length > 0)
    throw new WrongCommand(`${name} takes no ${JSON.stringify(argument)}`);
  if (expected !== null && argument === '') throw new WrongCommand(`${name} needs ${expected}`);
  if (tooMany.length > 0)
    throw new WrongCommand(`${name} takes one argument, ${expected}, and found ${positionals.length}`);
  const { json, ...rest } = values;
  return { json: json === true, run: (api, terminal) => definition.run(api, terminal, rest as Values, argument) };
}

function parse(name: string, { options }: Definition, args: readonly string[]) {
  const known = { ...options, json: { type: 'boolean' } } as const;
  try {
    return parseArgs({ args: [...args], options: known, allowPositionals: true, strict: true });
  } catch (error) {
    // The first sentence names the option; what follows is about positional arguments.
    const message = error instanceof Error ? (error.message.split('. ', 1)[0] ?? '') : String(error);
    const takes = Object.keys(known).map((option) => `--${option}`);
    throw new WrongCommand(`${name}: ${message}; it takes ${takes.join(', ')}`);
  }
}

function unknownCommand(words: readonly string[]): WrongCommand {
  const given = words.slice(0, 2).join(' ');
  const known = Object.keys(DEFINITIONS).join(', ');
  const found = given === '' ? 'no command' : `no such command: ${given}`;
  return new WrongCommand(`${found}; there are ${known}`);
}

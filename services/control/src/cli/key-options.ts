import { clone, create, type MessageInitShape } from '@bufbuild/protobuf';
import type { CreateKeyRequestSchema, KeyView, UpdateKeyRequestSchema } from '@headgate/proto/admin';
import { type KeyLimits, KeyLimitsSchema } from '@headgate/proto/api_key';
import { WrongCommand } from './failure.ts';
import { modeName, readBudget, readExpiry, readLimit, readMode, readModels, readQueue } from './values.ts';

/** The options that say what a key may do, of `keys create` and `keys update`. */
export const KEY_OPTIONS = {
  name: { type: 'string' },
  group: { type: 'string' },
  models: { type: 'string', multiple: true },
  expires: { type: 'string' },
  rpm: { type: 'string' },
  tpm: { type: 'string' },
  rpd: { type: 'string' },
  tpd: { type: 'string' },
  concurrency: { type: 'string' },
  budget: { type: 'string' },
  'budget-mode': { type: 'string' },
  queue: { type: 'string' },
} as const;

export type KeyOptions = { readonly [Name in Exclude<keyof typeof KEY_OPTIONS, 'models'>]?: string | undefined } & {
  readonly models?: readonly string[] | undefined;
};

const LIMITS = {
  rpm: 'requestsPerMinute',
  tpm: 'tokensPerMinute',
  rpd: 'requestsPerDay',
  tpd: 'tokensPerDay',
  concurrency: 'concurrency',
} as const;

export function creation(options: KeyOptions, nowMs: number): MessageInitShape<typeof CreateKeyRequestSchema> {
  if (options.name === undefined) throw new WrongCommand('--name is missing: headgate keys create --name checkout');
  if (options['budget-mode'] !== undefined && options.budget === undefined) {
    throw new WrongCommand('--budget-mode is of no use without --budget');
  }
  const limits = changedLimits(options, undefined);
  const budget = options.budget === undefined ? null : readBudget('budget', options.budget, options['budget-mode']);
  const queue = options.queue === undefined ? null : readQueue('queue', options.queue);
  return {
    name: options.name,
    group: options.group ?? '',
    models: options.models === undefined ? [] : readModels('models', options.models),
    expiresAtMs: options.expires === undefined ? 0n : readExpiry('expires', options.expires, nowMs),
    ...(limits === null ? {} : { limits }),
    ...(budget === null ? {} : { budget }),
    ...(queue === null ? {} : { queue }),
  };
}

/** What is not named stays: where the API takes blocks as a whole, with what `key` has, and only if it still has it. */
export function change(
  options: KeyOptions,
  key: KeyView,
  nowMs: number,
): MessageInitShape<typeof UpdateKeyRequestSchema> {
  const limits = changedLimits(options, key.limits);
  return {
    id: key.id,
    etag: key.etag,
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.group === undefined ? {} : { group: options.group === 'none' ? '' : options.group }),
    ...(options.models === undefined ? {} : { models: { patterns: readModels('models', options.models) } }),
    ...(options.expires === undefined ? {} : { expiresAtMs: readExpiry('expires', options.expires, nowMs) }),
    ...(limits === null ? {} : { limits }),
    ...changedBudget(options, key),
    ...changedQueue(options),
  };
}

/** Null when none is named. */
function changedLimits(options: KeyOptions, before: KeyLimits | undefined): KeyLimits | null {
  const named = Object.entries(LIMITS).flatMap(([option, field]) => {
    const text = options[option as keyof typeof LIMITS];
    return text === undefined ? [] : [[field, readLimit(option, text)] as const];
  });
  if (named.length === 0) return null;
  const limits = before === undefined ? create(KeyLimitsSchema) : clone(KeyLimitsSchema, before);
  return Object.assign(limits, Object.fromEntries(named));
}

function changedBudget(options: KeyOptions, { budget: before }: KeyView) {
  const mode = options['budget-mode'];
  if (options.budget !== undefined) {
    const budget = readBudget('budget', options.budget, mode ?? (before && modeName(before.mode)));
    return budget === null ? { removeBudget: true } : { budget };
  }
  if (mode === undefined) return {};
  if (before === undefined) throw new WrongCommand('--budget-mode: this key has no budget; give it one with --budget');
  return { budget: { ...before, mode: readMode(mode) } };
}

function changedQueue(options: KeyOptions) {
  if (options.queue === undefined) return {};
  const queue = readQueue('queue', options.queue);
  return queue === null ? { removeQueue: true } : { queue };
}

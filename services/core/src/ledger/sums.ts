import type { UsageRecord } from '@headgate/proto/usage';
import { fromDecimal, toDecimal } from './cost.ts';

/** 10^-18 dollars in a millionth of a dollar. */
const REST = 10n ** 12n;

/**
 * What is added up of generations. Money stands as millionths of a dollar and a rest of 10^-18 dollars: both fit the
 * doubles that Redis's Lua reckons with, and no digit is lost.
 */
export const MEASURES = [
  'requests',
  'inputTokens',
  'outputTokens',
  'cacheReadTokens',
  'cacheWriteTokens',
  'reasoningTokens',
  'costMicro',
  'costRest',
  'marketMicro',
  'marketRest',
] as const;

export type Measure = (typeof MEASURES)[number];

export interface Sums {
  readonly requests: number;
  /** With cache reads and writes. */
  readonly inputTokens: number;
  /** With reasoning. */
  readonly outputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
  readonly reasoningTokens: number;
  /** 10^-18 US dollars. */
  readonly cost: bigint;
  readonly marketCost: bigint;
}

export const NO_SUMS: Sums = {
  requests: 0,
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
  cost: 0n,
  marketCost: 0n,
};

/** One record's measures, in the order of MEASURES, as the script takes them. */
export function measuresOf(record: UsageRecord): string {
  const read = Number(record.cacheReadTokens ?? 0n);
  const write = Number(record.cacheWriteTokens ?? 0n);
  const reasoning = Number(record.reasoningTokens ?? 0n);
  const cost = money(record.costUsd);
  const market = money(record.marketCostUsd);
  return [
    1,
    Number(record.inputTokens) + read + write,
    Number(record.outputTokens) + reasoning,
    read,
    write,
    reasoning,
    cost / REST,
    cost % REST,
    market / REST,
    market % REST,
  ].join(',');
}

/** An unknown price adds nothing. */
const money = (decimal: string): bigint => (decimal === '' ? 0n : fromDecimal(decimal));

export function readSums(text: string): Sums {
  const values = text.split(',');
  const at = (measure: Measure): string => values[MEASURES.indexOf(measure)] ?? '0';
  return {
    requests: Number(at('requests')),
    inputTokens: Number(at('inputTokens')),
    outputTokens: Number(at('outputTokens')),
    cacheReadTokens: Number(at('cacheReadTokens')),
    cacheWriteTokens: Number(at('cacheWriteTokens')),
    reasoningTokens: Number(at('reasoningTokens')),
    cost: BigInt(at('costMicro')) * REST + BigInt(at('costRest')),
    marketCost: BigInt(at('marketMicro')) * REST + BigInt(at('marketRest')),
  };
}

export function addSums(a: Sums, b: Sums): Sums {
  return {
    requests: a.requests + b.requests,
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    cacheReadTokens: a.cacheReadTokens + b.cacheReadTokens,
    cacheWriteTokens: a.cacheWriteTokens + b.cacheWriteTokens,
    reasoningTokens: a.reasoningTokens + b.reasoningTokens,
    cost: a.cost + b.cost,
    marketCost: a.marketCost + b.marketCost,
  };
}

/** Decimal string in US dollars. */
export const usd = (money: bigint): string => toDecimal(money);

import { createRequire } from 'node:module';
import { create } from '@bufbuild/protobuf';
import { type Pricing, PricingSchema } from '@headgate/proto/snapshot';
import type { ModelPrice } from '@pydantic/genai-prices';
import type { ConfigPricing } from '../config/index.ts';

const require = createRequire(import.meta.url);

/** Loaded with the first price that is asked for: it is half a megabyte of data, and only control asks. */
const priceLibrary = (): typeof import('@pydantic/genai-prices') => require('@pydantic/genai-prices');

/** The names under which the price library knows providers, where they differ from ours. */
const PRICE_PROVIDERS: Readonly<Record<string, string>> = {
  gemini: 'google',
  vertex: 'google',
  bedrock: 'aws',
  xai: 'x-ai',
  voyage: 'voyageai',
  moonshot: 'moonshotai',
};

/**
 * List price of a provider's model, or null when the library does not know it. Of prices that rise with the length of
 * the prompt it is the first step, of prices that change with the hour the one at noon UTC.
 */
export function listPrice(provider: string, model: string, date: Date): Pricing | null {
  const providerId = PRICE_PROVIDERS[provider] ?? provider;
  const noon = new Date(date);
  noon.setUTCHours(12, 0, 0, 0);
  const found = priceLibrary().calcPrice({ input_tokens: 0, output_tokens: 0 }, model, { providerId, timestamp: noon });
  if (found === null) return null;
  return pricing({
    input: perToken(found.model_price, 'input_mtok'),
    output: perToken(found.model_price, 'output_mtok'),
    inputCacheRead: perToken(found.model_price, 'cache_read_mtok'),
    inputCacheWrite: perToken(found.model_price, 'cache_write_mtok'),
  });
}

/** A price from headgate.yaml; what it leaves open is unknown, not the list price. */
export function configuredPrice(price: ConfigPricing): Pricing | null {
  const text = (value: string | number | undefined) => (value === undefined ? '' : shiftDecimal(value, 0));
  return pricing({
    input: text(price.input),
    output: text(price.output),
    inputCacheRead: text(price.inputCacheRead),
    inputCacheWrite: text(price.inputCacheWrite),
  });
}

function pricing(values: {
  input: string;
  output: string;
  inputCacheRead: string;
  inputCacheWrite: string;
}): Pricing | null {
  return Object.values(values).every((value) => value === '') ? null : create(PricingSchema, values);
}

function perToken(price: ModelPrice, key: string): string {
  const value = price[key];
  if (value === undefined) return '';
  return shiftDecimal(Number(baseOf(value)), -6);
}

/** Prices in tiers are objects, with the first tier as `base`. */
function baseOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'base' in value ? value.base : value;
}

/** `value * 10^exponent` as a plain decimal, digit by digit: no binary fraction ever shows, 3 shifted by -6 is 0.000003. */
export function shiftDecimal(value: number | string, exponent: number): string {
  const match = /^(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/.exec(String(value));
  if (match === null) throw new RangeError(`not a decimal number of zero or more: ${value}`);
  const [, whole = '', fraction = '', power = '0'] = match;
  const digits = whole + fraction;
  const point = whole.length + Number(power) + exponent;
  const padded = '0'.repeat(Math.max(0, -point)) + digits.padEnd(Math.max(0, point), '0');
  const split = Math.max(0, point);
  const integer = padded.slice(0, split).replace(/^0+(?=\d)/, '');
  const rest = padded.slice(split).replace(/0+$/, '');
  return rest === '' ? integer || '0' : `${integer || '0'}.${rest}`;
}

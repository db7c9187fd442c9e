import type { EndpointPricing } from '../catalog/index.ts';
import type { Usage } from '../chat/index.ts';

/** Prices are dollars per token with up to 18 decimals: whole numbers of 10^-18 dollars are exact. */
const SCALE = 18;

interface ScaledPricing {
  readonly input: bigint;
  readonly output: bigint;
  readonly cacheRead: bigint;
  readonly cacheWrite: bigint;
}

const scaled = new WeakMap<EndpointPricing, ScaledPricing>();

/**
 * What a generation cost, as a decimal string in US dollars ("0.0045405"); each bucket is priced once. Null when the
 * price of a bucket is unknown. Cache tokens without a price of their own cost what input does.
 */
export function costUsd(usage: Usage, pricing: EndpointPricing | null): string | null {
  if (pricing === null || pricing.input === null) return null;
  const prices = scale(pricing, pricing.input);
  const out = usage.output + (usage.reasoning ?? 0);
  if (out > 0 && pricing.output === null) return null;
  const total =
    BigInt(usage.uncachedInput) * prices.input +
    BigInt(usage.cacheRead ?? 0) * prices.cacheRead +
    BigInt(usage.cacheWrite ?? 0) * prices.cacheWrite +
    BigInt(out) * prices.output;
  return toDecimal(total);
}

function scale(pricing: EndpointPricing, input: string): ScaledPricing {
  let prices = scaled.get(pricing);
  if (!prices) {
    prices = {
      input: fromDecimal(input),
      output: fromDecimal(pricing.output ?? '0'),
      cacheRead: fromDecimal(pricing.inputCacheRead ?? input),
      cacheWrite: fromDecimal(pricing.inputCacheWrite ?? input),
    };
    scaled.set(pricing, prices);
  }
  return prices;
}

/** "0.000003" as a whole number of 10^-18. Throws a RangeError on anything but a plain decimal. */
export function fromDecimal(text: string): bigint {
  const match = /^(\d+)(?:\.(\d{1,18}))?$/.exec(text);
  if (!match) throw new RangeError(`not a plain decimal with at most ${SCALE} decimals: ${text}`);
  return BigInt(`${match[1]}${(match[2] ?? '').padEnd(SCALE, '0')}`);
}

/** The shortest plain decimal. */
export function toDecimal(value: bigint): string {
  const digits = value.toString().padStart(SCALE + 1, '0');
  const whole = digits.slice(0, -SCALE);
  const fraction = digits.slice(-SCALE).replace(/0+$/, '');
  return fraction === '' ? whole : `${whole}.${fraction}`;
}

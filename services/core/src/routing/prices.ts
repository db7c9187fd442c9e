import type { EndpointPricing } from '../catalog/index.ts';

/** US dollars per million tokens of a price per token; null where it is unknown. The shift is in decimals, so 0.0000011 is 1.1. */
export function perMillion(price: string | null | undefined): number | null {
  if (price === null || price === undefined) return null;
  const dollars = Number(`${price}e6`);
  return Number.isFinite(dollars) ? dollars : null;
}

/** Three tokens in for one out, which is about what conversations have. */
const INPUT_SHARE = 0.75;

/** What a million tokens of an ordinary mix cost, US dollars; null where a price is unknown. */
export function blendedPrice(pricing: EndpointPricing | null): number | null {
  const input = perMillion(pricing?.input);
  const output = perMillion(pricing?.output);
  return input === null || output === null ? null : INPUT_SHARE * input + (1 - INPUT_SHARE) * output;
}

/** A token is about four bytes of UTF-8 in `o200k_base`: four letters of English, a letter and a third of Chinese. */
const BYTES_OF_A_TOKEN = 4;

/** Tokens of so many bytes of text, where there is no time or no vocabulary to count them. */
export const tokensOfBytes = (bytes: number): number => Math.ceil(bytes / BYTES_OF_A_TOKEN);

/**
 * Tokens that other vocabularies make of ordinary text for which `o200k_base` has one. They are not published as libraries
 * (or are as large each), so these are rules of thumb; an account that has to be exact drains instead of counting. What is
 * not named is taken to be like OpenAI's.
 */
const FAMILIES: readonly (readonly [RegExp, number])[] = [
  [/claude/, 1.2],
  [/llama|mistral|mixtral|ministral|codestral|magistral/, 1.1],
  // The vocabulary before o200k.
  [/gpt-4(?![o.\d])|gpt-3\.5/, 1.02],
];

/** How many tokens a model counts for each of `o200k_base`, by the provider's name of it. */
export function tokenScale(model: string): number {
  const name = model.toLowerCase();
  return FAMILIES.find(([family]) => family.test(name))?.[1] ?? 1;
}

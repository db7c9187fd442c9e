/** What a model's name tells of what it takes (https://ai.google.dev/gemini-api/docs/models). */
export interface ModelTraits {
  /** `gemini-2.5-...` is 2.5; null for aliases (`gemini-flash-latest`) and tuned models. */
  readonly version: number | null;
  readonly isGemini: boolean;
  readonly isPro: boolean;
  readonly isLite: boolean;
  /** Makes images or speech; such models take no thinking settings. */
  readonly isMaker: boolean;
}

export function modelTraits(model: string): ModelTraits {
  const version = /gemini-(\d+(?:\.\d+)?)/.exec(model)?.[1];
  return {
    version: version === undefined ? null : Number(version),
    isGemini: model.includes('gemini'),
    isPro: /\bpro\b/.test(model),
    isLite: model.includes('lite'),
    isMaker: /-(image|tts|audio|live)\b/.test(model),
  };
}

/** From Gemini 3 on; an alias names the newest. */
export const isThirdGeneration = ({ version, isGemini }: ModelTraits): boolean =>
  version === null ? isGemini : version >= 3;

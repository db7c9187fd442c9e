import { type ProviderName, upstreamModel } from '../providers.ts';
import { type DrawnFault, drawFault } from './faults.ts';
import type { Random } from './random.ts';

/** A model of the soak's configuration. */
export interface SoakModel {
  readonly id: string;
  /** Begins the name of the model at each of its providers. */
  readonly name: string;
  readonly providers: readonly ProviderName[];
  /** All of a provider fails now and then, beside what befalls single requests. */
  readonly outages: boolean;
}

export const MODELS: readonly SoakModel[] = [
  { id: 'soak/one', name: 'one', providers: ['anthropic', 'openai'], outages: false },
  { id: 'soak/two', name: 'two', providers: ['openai', 'vertex', 'gemini'], outages: false },
  { id: 'soak/three', name: 'three', providers: ['gemini', 'bedrock', 'azure'], outages: false },
  { id: 'soak/four', name: 'four', providers: ['bedrock', 'openai', 'anthropic'], outages: true },
];

export interface Question {
  readonly model: SoakModel;
  readonly request: Readonly<Record<string, unknown>> & { readonly model: string; readonly stream: boolean };
  /** Requests for which a provider, asked directly and not troubled by anything, says what the answer may be. */
  readonly references: readonly Readonly<Record<string, unknown>>[];
  /** One provider at least was well and says what all say: nothing but the whole answer will do. */
  readonly answerable: boolean;
  readonly mayBeEmpty: boolean;
  readonly mayBeRefused: boolean;
}

const TOOLS = ['get_weather', 'find_route'].map((name) => ({
  type: 'function',
  function: {
    name,
    description: `Calls ${name}.`,
    parameters: {
      type: 'object',
      properties: { place: { type: 'string' }, days: { type: 'integer' } },
      required: ['place'],
    },
  },
}));

/** What one client asks, and what befalls the providers that it could come to. */
export function drawQuestion(random: Random, number: number): Question {
  const model = random.pick(MODELS);
  const tokens = random.between(5, 60);
  const calls = random.chance(0.2) ? random.between(1, 2) : 0;
  const resume = random.pick(['safe', 'safe', 'safe', 'always', 'off']);
  const faults = model.providers.map(() => drawFault(random, tokens));
  // Some say something else than the others: their words must never be mixed with those.
  const other = random.chance(0.15) ? random.between(0, faults.length - 1) : -1;
  // Who goes on with an assistant message goes on with anybody's, and may also find that nothing is left to say.
  const noneGoesOn = other >= 0 || faults.some((fault) => fault?.kind === 'empty');
  const blocks = model.providers.map((provider, i) => {
    const directives = [
      faults[i]?.directives ?? '',
      // It would end the refusal below, too.
      !noneGoesOn && faults[i]?.kind === 'ill' && random.chance(0.2) ? 'times=1' : '',
      i === other ? 'salt=other' : '',
      noneGoesOn || random.chance(0.15) ? 'prefill=reject' : '',
    ].filter((one) => one !== '');
    return directives.length === 0 ? '' : `[[sim ${directives.join(' ')} for=${upstreamModel(provider, model.name)}]]`;
  });
  const common = `tokens=${tokens}${random.chance(0.3) ? ' emoji' : ''}${random.chance(0.7) ? ' tps=400' : ''}${calls ? ` calls=${calls}` : ''}`;
  const asked = (trouble: string) => ({
    messages: [{ role: 'user', content: `[[sim ${common}]]${trouble} Question ${number}: who tends the lock?` }],
    ...(calls === 0 ? {} : { tools: TOOLS }),
  });
  return {
    model,
    request: {
      ...asked(blocks.join('')),
      model: model.id,
      stream: random.chance(0.6),
      ...(resume === 'safe' ? {} : { providerOptions: { gateway: { resume } } }),
    },
    references: other < 0 ? [asked('')] : [asked(''), asked('[[sim salt=other]]')],
    answerable: other < 0 && resume !== 'off' && !model.outages && isAnswerable(faults),
    mayBeEmpty: faults.some((fault) => fault?.kind === 'empty'),
    mayBeRefused: faults.some((fault) => fault?.kind === 'caller'),
  };
}

function isAnswerable(faults: readonly (DrawnFault | null)[]): boolean {
  const kinds = faults.map((fault) => fault?.kind ?? 'well');
  return kinds.includes('well') && !kinds.includes('caller') && !kinds.includes('empty');
}

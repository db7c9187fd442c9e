import type { Feature } from './feature.ts';
import { CACHING } from './features/caching.ts';
import { CONTROLS } from './features/controls.ts';
import { FAILURES } from './features/failures.ts';
import { MEDIA } from './features/media.ts';
import { REASONING } from './features/reasoning.ts';
import { TEXT } from './features/text.ts';
import { TOOL_FEATURES } from './features/tools.ts';
import { SEED_EXAMPLES } from './seed.ts';

/** Every row of the matrix, in the order of the README's table. */
export const FEATURES: readonly Feature[] = [
  SEED_EXAMPLES,
  ...TEXT,
  ...MEDIA,
  ...TOOL_FEATURES,
  ...CONTROLS,
  ...REASONING,
  ...CACHING,
  ...FAILURES,
];

export interface DrainSettings {
  /** How long connections are still accepted after readiness went false, until balancers have noticed. */
  readonly delayMs: number;
  /** How long open requests may go on after that. */
  readonly timeoutMs: number;
}

const DEFAULT_TIMEOUT_SECONDS = 600;
/** Node's timers fire at once beyond this. */
const MOST_SECONDS = (2 ** 31 - 1) / 1000;

/** `HEADGATE_DRAIN_DELAY_SECONDS` (default 0) and `HEADGATE_DRAIN_TIMEOUT_SECONDS` (default 600). */
export function drainSettings(env: NodeJS.ProcessEnv): DrainSettings {
  return {
    delayMs: seconds(env, 'HEADGATE_DRAIN_DELAY_SECONDS', 0) * 1000,
    timeoutMs: seconds(env, 'HEADGATE_DRAIN_TIMEOUT_SECONDS', DEFAULT_TIMEOUT_SECONDS) * 1000,
  };
}

function seconds(env: NodeJS.ProcessEnv, name: string, fallback: number): number {
  const text = env[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  return Number.isFinite(value) && value >= 0 ? Math.min(value, MOST_SECONDS) : fallback;
}

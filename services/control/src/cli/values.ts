import { create } from '@bufbuild/protobuf';
import { type Budget, BudgetMode, BudgetSchema, BudgetWindow, type Queue, QueueSchema } from '@headgate/proto/api_key';
import { WrongCommand } from './failure.ts';

/** How values are written on the command line. `option` is told in messages. */

const UNITS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
const WINDOWS = {
  day: BudgetWindow.DAY,
  week: BudgetWindow.WEEK,
  month: BudgetWindow.MONTH,
  total: BudgetWindow.TOTAL,
} as const;
const MODES = { hard: BudgetMode.HARD, soft: BudgetMode.SOFT, shadow: BudgetMode.SHADOW } as const;

/** "90s", "15m", "1h", "7d" or "0", in seconds. */
export function readSeconds(option: string, text: string): number {
  if (text === '0') return 0;
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (count === undefined || unit === undefined) throw wrong(option, text, 'a time such as 90s, 15m, 1h or 7d');
  return Number(count) * UNITS[unit as keyof typeof UNITS];
}

/** "2027-01-31", "2027-01-31T18:00:00Z", a time from now such as "30d", or "never" (0n); milliseconds since the epoch. */
export function readExpiry(option: string, text: string, nowMs: number): bigint {
  if (text === 'never') return 0n;
  if (/^\d+[smhd]$/.test(text)) return BigInt(nowMs + readSeconds(option, text) * 1000);
  const isIso = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text);
  // Date.parse takes the 30th of February for the 2nd of March.
  const at = isIso && isDay(text.slice(0, 10)) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw wrong(option, text, 'a date (2027-01-31), a time (2027-01-31T18:00:00Z), 30d or never');
  return BigInt(at);
}

function isDay(day: string): boolean {
  const at = Date.parse(day);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(day);
}

/** A whole number, or "none" (0n). */
export function readLimit(option: string, text: string): bigint {
  if (text === 'none') return 0n;
  if (!/^[1-9]\d{0,12}$/.test(text)) throw wrong(option, text, 'a whole number above zero, or none');
  return BigInt(text);
}

/** "100/month": amount and window; null for "none". */
export function readBudget(option: string, text: string, mode: string | undefined): Budget | null {
  if (text === 'none') return null;
  const [, usd, window] = /^(\d+(?:\.\d+)?)\/([a-z]+)$/.exec(text) ?? [];
  if (usd === undefined || window === undefined || !Object.hasOwn(WINDOWS, window)) {
    throw wrong(option, text, `US dollars and a window: 100/month (${Object.keys(WINDOWS).join(', ')}), or none`);
  }
  return create(BudgetSchema, { usd, window: WINDOWS[window as keyof typeof WINDOWS], mode: readMode(mode ?? 'hard') });
}

export function readMode(text: string): BudgetMode {
  if (!Object.hasOwn(MODES, text)) throw wrong('budget-mode', text, `one of ${Object.keys(MODES).join(', ')}`);
  return MODES[text as keyof typeof MODES];
}

/** "2s" or "2s/50": longest wait, and how many may wait; null for "none". */
export function readQueue(option: string, text: string): Queue | null {
  if (text === 'none') return null;
  const [, wait, waiting] = /^(\d+[smhd])(?:\/(\d{1,9}))?$/.exec(text) ?? [];
  if (wait === undefined) throw wrong(option, text, 'the longest wait and how many may wait: 2s or 2s/50, or none');
  return create(QueueSchema, {
    maxWaitMs: readSeconds(option, wait) * 1000,
    maxWaiting: waiting === undefined ? 0 : Number(waiting),
  });
}

/** Comma-separated patterns, the option given once or several times; "all" is every model. */
export function readModels(option: string, texts: readonly string[]): string[] {
  const patterns = texts.flatMap((text) => text.split(',').map((pattern) => pattern.trim()));
  if (patterns.includes(''))
    throw wrong(option, texts.join(' '), 'patterns such as "anthropic/*,openai/gpt-4o", or all');
  if (!patterns.includes('all')) return patterns;
  if (patterns.length > 1) throw wrong(option, texts.join(' '), 'patterns, or all by itself');
  return [];
}

export function windowName(window: BudgetWindow): string {
  return Object.entries(WINDOWS).find(([, value]) => value === window)?.[0] ?? 'month';
}

export function modeName(mode: BudgetMode): string {
  return Object.entries(MODES).find(([, value]) => value === mode)?.[0] ?? 'hard';
}

function wrong(option: string, found: string, expected: string): WrongCommand {
  return new WrongCommand(`--${option}: found ${JSON.stringify(found)}, expected ${expected}`);
}

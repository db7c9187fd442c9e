import type { UnitName } from './units.ts';

/** Those that were noted last are told; more would make heartbeats heavy. */
const MOST_TOLD = 1_000;
/** What others told is no knowledge any more after this. */
const FRESH_MS = 3_500;
/** A heartbeat has told the same after this, or that it is over. */
const NEWS_MS = 2_500;

/** Of one limit: slots that a replica holds beyond its equal part, or what a bucket has left that is half empty or worse. */
export interface Shortage {
  readonly key: string;
  readonly unit: UnitName;
  readonly amount: number;
  /** By so much it must become worse to be worth telling before the next heartbeat. */
  readonly step: number;
}

/** Who may have something to tell. */
export interface Teller {
  /** Null: no longer. */
  shortage(now: number): Shortage | null;
}

interface News {
  readonly replica: string;
  readonly name: string;
  readonly amount: number;
  readonly at: number;
}

/** What others told of a limit. */
export interface Told {
  readonly sum: number;
  readonly least: number;
  readonly replicas: number;
}

/**
 * Limits of which much is taken. Replicas tell each other with every heartbeat, and at once when it becomes worse, so that
 * each knows, should Redis go away, of which limits it may use its part: of all but these.
 */
export class Shortages {
  /** With what was told of them last. */
  readonly #tellers = new Map<Teller, number | null>();
  readonly #fresh = new Set<Teller>();
  readonly #onNews: () => void;
  /** By limit and replica. */
  #heard = new Map<string, Map<string, number>>();
  #heardAt = Number.NEGATIVE_INFINITY;
  #version = 0;
  #news: News[] = [];

  /** `onNews`: something should be told at once. */
  constructor(onNews: () => void) {
    this.#onNews = onNews;
  }

  note(teller: Teller, now: number): void {
    const shortage = teller.shortage(now);
    const before = this.#tellers.get(teller) ?? null;
    this.#tellers.delete(teller);
    if (shortage === null) return;
    this.#tellers.set(teller, before);
    if (this.#tellers.size > MOST_TOLD) {
      const [oldest] = this.#tellers.keys();
      if (oldest) this.#tellers.delete(oldest);
    }
    const isWorse =
      before === null || Math.abs(worse(shortage.unit, before, shortage.amount) - before) >= shortage.step;
    if (!isWorse) return;
    this.#fresh.add(teller);
    if (this.#fresh.size === 1) this.#onNews();
  }

  /** All of it, for the others; '' for nothing. */
  tell(now: number): string {
    return this.#text([...this.#tellers.keys()], now);
  }

  /** What they have not been told yet; '' for nothing. */
  tellNews(now: number): string {
    const fresh = [...this.#fresh];
    this.#fresh.clear();
    return this.#text(fresh, now);
  }

  #text(tellers: readonly Teller[], now: number): string {
    const all: [string, UnitName, number][] = [];
    for (const teller of tellers) {
      const shortage = teller.shortage(now);
      if (shortage === null) {
        this.#tellers.delete(teller);
        continue;
      }
      this.#tellers.set(teller, shortage.amount);
      all.push([shortage.key, shortage.unit, shortage.amount]);
    }
    return all.length === 0 ? '' : JSON.stringify(all);
  }

  /** Changes whenever others told something. */
  get version(): number {
    return this.#version;
  }

  /** All that others tell, by replica, as of `at` or later. */
  hear(told: ReadonlyMap<string, string>, at: number): void {
    this.#heard = new Map();
    this.#heardAt = at;
    this.#version++;
    for (const [replica, text] of told) {
      for (const [name, amount] of parsed(text)) this.#add(replica, name, amount);
    }
    this.#news = this.#news.filter((one) => at - one.at < NEWS_MS);
    for (const { replica, name, amount } of this.#news) this.#add(replica, name, amount);
  }

  /** What another one tells between its heartbeats. */
  hearNews(replica: string, text: string, now: number): void {
    this.#version++;
    for (const [name, amount] of parsed(text)) {
      this.#news.push({ replica, name, amount, at: now });
      this.#add(replica, name, amount);
    }
  }

  #add(replica: string, name: string, amount: number): void {
    const told = this.#heard.get(name) ?? new Map<string, number>();
    told.set(replica, worse(name.slice(name.lastIndexOf(' ') + 1), told.get(replica) ?? amount, amount));
    this.#heard.set(name, told);
  }

  /** Whether what others told was fresh at that time. */
  isFresh(at: number): boolean {
    return at - this.#heardAt < FRESH_MS;
  }

  of(key: string, unit: UnitName): Told | null {
    const told = this.#heard.get(`${key} ${unit}`);
    if (!told) return null;
    const amounts = [...told.values()];
    return {
      sum: amounts.reduce((sum, amount) => sum + amount, 0),
      least: Math.min(...amounts),
      replicas: amounts.length,
    };
  }
}

/** Slots that are held, or units that are left. */
const worse = (unit: string, a: number, b: number): number =>
  unit === 'concurrency' ? Math.max(a, b) : Math.min(a, b);

/** Names of limits with amounts. A replica of another version may tell what this one does not understand. */
function parsed(text: string): [string, number][] {
  try {
    const all: unknown = JSON.parse(text);
    return Array.isArray(all) ? all.filter(isShortage).map(([key, unit, amount]) => [`${key} ${unit}`, amount]) : [];
  } catch {
    return [];
  }
}

const isShortage = (one: unknown): one is [string, string, number] =>
  Array.isArray(one) && typeof one[0] === 'string' && typeof one[1] === 'string' && typeof one[2] === 'number';
